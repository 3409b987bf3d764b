// Fact: one socket joins igmp_max_memberships groups, then ENOBUFS; the next socket goes on.
#include "world.hpp"

int main() {
  world::enter();
  world::peer();
  std::ifstream file("/proc/sys/net/ipv4/igmp_max_memberships");
  int limit = 0;
  if (!(file >> limit)) world::skip("no igmp_max_memberships");
  const int first = world::need(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
  const int second = world::need(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
  int joined = 0, error = 0;
  while (joined <= limit && error == 0) {
    error = world::join(first, fmt::format("239.1.1.{}", joined + 1).c_str(), "near");
    if (error == 0) ++joined;
  }
  world::expect(joined == limit && error == ENOBUFS,
                fmt::format("{} joins, then {}", joined, std::strerror(error)));
  error = world::join(second, fmt::format("239.1.1.{}", joined + 1).c_str(), "near");
  world::expect(error == 0, "the next socket takes it");
}
