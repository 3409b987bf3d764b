// An input of a rule.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/prefix.hpp"
#include "mcr/config/destinations.hpp"

namespace mcr {

/// An input takes the datagrams that are addressed to `destination`:`port` on `interface`.
struct Input {
  std::string interface;
  IpAddress destination;  ///< a group, or an address of this host (with `local`: of any host)
  std::uint16_t port = 0;
  std::vector<Prefix> sources;  ///< sorted, disjoint; empty: any source (see sources.hpp)
  std::uint32_t addresses = 1;  ///< consecutive groups from `destination` on
  std::uint32_t ports = 1;      ///< consecutive ports from `port` on
  std::uint16_t vlan = 0;       ///< 802.1Q tag of the frames; 0: untagged
  bool local = false;           ///< takes what this host sends by `interface`, not what arrives
  /// Sources that are left out; sorted, disjoint, each a part of one of `sources` if there are any.
  std::vector<Prefix> excluded{};
  std::uint8_t priority = 0;  ///< with `failover`: the lowest goes first
  std::uint8_t lane = 0;      ///< see lane_of(); 0: all workers receive, each some of the flows
  bool warm = true;           ///< with `failover`: its groups are joined while it stands by, too

  [[nodiscard]] Destinations destinations() const {
    return {{destination, port}, addresses, ports};
  }

  friend bool operator==(const Input&, const Input&) = default;
};

}  // namespace mcr
