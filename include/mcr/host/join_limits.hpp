// The sysctls that make a join fail where they are too low.
#pragma once

#include <cstdint>

namespace mcr {

/// 0 also where one cannot be read.
struct JoinLimits {
  std::uint64_t memberships = 0;    ///< of a socket: net.ipv4.igmp_max_memberships
  std::uint64_t sources = 0;        ///< of an IPv4 group: net.ipv4.igmp_max_msf
  std::uint64_t ipv6_sources = 0;   ///< net.ipv6.mld_max_msf
  std::uint64_t option_memory = 0;  ///< bytes, of a socket: net.core.optmem_max

  friend bool operator==(const JoinLimits&, const JoinLimits&) = default;
};

[[nodiscard]] JoinLimits read_join_limits();

}  // namespace mcr
