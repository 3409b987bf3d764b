// The kinds of sockets that inputs and outputs ask for. An interface has a socket for each kind of
// input that its rules ask for, so the socket that a frame arrives on tells its kind; and one for
// each kind of output.
#pragma once

#include <compare>
#include <cstdint>

#include "mcr/base/address.hpp"

namespace mcr {

struct Input;
struct Output;

/// A kind of frames of one interface. The kinds are disjoint.
struct InputKind {
  Family family = Family::ipv4;
  std::uint16_t vlan = 0;  ///< 802.1Q VLAN that the frames are tagged for; 0: untagged
  bool local = false;      ///< what this host sends out of the interface, not what arrives there

  auto operator<=>(const InputKind&) const = default;
};

/// Kinds of a recreated interface are others.
struct RxKey {
  unsigned interface_index = 0;
  std::uint32_t incarnation = 0;
  InputKind kind;

  auto operator<=>(const RxKey&) const = default;
};

/// An egress queue. Unicast is apart from multicast, so that an ICMP refusal disturbs no group.
struct TxKey {
  unsigned interface_index = 0;
  Family family = Family::ipv4;
  bool multicast = true;
  std::uint16_t source_port = 0;  ///< 0: any
  bool loopback = false;          ///< also to listeners on this host
  bool any_source = false;        ///< sends from addresses that are not ours
  bool raw = false;               ///< takes UDP headers from us: sends from any port

  auto operator<=>(const TxKey&) const = default;
};

/// What of an input's key the configuration says.
[[nodiscard]] InputKind kind_of(const Input& input) noexcept;
/// The same of an output: all but the interface; its source port is 0 if it names none.
[[nodiscard]] TxKey kind_of(const Output& output) noexcept;

}  // namespace mcr
