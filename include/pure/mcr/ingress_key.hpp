// What one packet socket takes. An interface has a socket for each kind of input that its rules
// ask for, so the port that a frame arrives on tells its kind.
#pragma once

#include <compare>
#include <cstdint>

#include "mcr/addr.hpp"

namespace mcr {

/// A kind of frames of one interface. The kinds are disjoint.
struct InputKind {
  Family family = Family::ipv4;
  std::uint16_t vlan = 0;  ///< 802.1Q VLAN that the frames are tagged for; 0: untagged
  bool local = false;      ///< what this host sends out of the interface, not what arrives there

  auto operator<=>(const InputKind&) const = default;
};

/// Kinds of a recreated interface are others.
struct IngressKey {
  unsigned interface_index = 0;
  std::uint32_t incarnation = 0;
  InputKind kind;

  auto operator<=>(const IngressKey&) const = default;
};

}  // namespace mcr
