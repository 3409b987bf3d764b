#include "mcr/host/join_limits.hpp"

#include <fstream>

namespace mcr {

namespace {

std::uint64_t read_number(const char* path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return number;
}

}  // namespace

JoinLimits read_join_limits() {
  return {.memberships = read_number("/proc/sys/net/ipv4/igmp_max_memberships"),
          .sources = read_number("/proc/sys/net/ipv4/igmp_max_msf"),
          .ipv6_sources = read_number("/proc/sys/net/ipv6/mld_max_msf"),
          .option_memory = read_number("/proc/sys/net/core/optmem_max")};
}

}  // namespace mcr
