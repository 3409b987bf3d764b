// The kinds of inputs and outputs. Inputs of one kind share a packet socket on their interface, and
// outputs of one kind share a UDP socket. So the socket that a frame arrives on tells its kind.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

struct Input;
struct Output;

/// A kind of frames on one interface. But for lanes no frame is of two kinds.
struct InputKind {
  Family family = Family::ipv4;
  std::uint16_t vlan = 0;  ///< 802.1Q tag of the frames; 0: untagged
  bool local = false;      ///< frames that this host sends by the interface, not those that arrive
  /// Not 0: one socket, read by worker (lane - 1) modulo their number; see lane_of().
  std::uint8_t lane = 0;

  auto operator<=>(const InputKind&) const = default;
};

/// A packet socket. If its interface is deleted and made anew, it is another one.
struct RxKey {
  unsigned interface_index = 0;
  std::uint32_t incarnation = 0;
  InputKind kind;
  /// Bound to all protocols, though the kind needs one only: the interface is a port of a bridge,
  /// which takes the frames before sockets of one protocol.
  bool all_protocols = false;

  auto operator<=>(const RxKey&) const = default;
};

/// A sending socket and its queue. Unicast and multicast have sockets of their own: an ICMP refusal
/// of a unicast datagram fails the next send of its socket, which must not be one to a group.
struct TxKey {
  unsigned interface_index = 0;
  Family family = Family::ipv4;
  bool multicast = true;
  std::uint16_t source_port = 0;  ///< 0: any
  bool loopback = false;          ///< listeners on this host get the copies, too
  bool any_source = false;        ///< sends from addresses that this host does not have
  bool raw = false;               ///< a raw socket: MCR writes the UDP header, with any source port

  auto operator<=>(const TxKey&) const = default;
};

/// The kind of an input.
[[nodiscard]] InputKind kind_of(const Input& input) noexcept;
/// The key of an output without its interface. The source port is 0 if the output names none.
[[nodiscard]] TxKey kind_of(const Output& output) noexcept;
/// The kinds that an output may come to be of: with a host's name, those of both families.
[[nodiscard]] std::vector<TxKey> kinds_of(const Output& output);

}  // namespace mcr
