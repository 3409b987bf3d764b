// How long a filter may be is the kernel's to say: it charges the program, as translated, to the
// option memory of the socket (net.core.optmem_max, 20480 in older kernels), where joins are, too.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/host/socket.hpp"

using namespace mcr;

namespace {

/// Joins or leaves the nth group of the loopback interface: a way to take and free option memory.
bool change(Fd socket, unsigned n, int option) {
  ipv6_mreq group{{}, ::if_nametoindex("lo")};
  ::inet_pton(AF_INET6, "ff15::", &group.ipv6mr_multiaddr);
  group.ipv6mr_multiaddr.s6_addr[14] = static_cast<std::uint8_t>(n >> 8U);
  group.ipv6mr_multiaddr.s6_addr[15] = static_cast<std::uint8_t>(n);
  return ::setsockopt(socket.get(), IPPROTO_IPV6, option, &group, sizeof group) == 0;
}

std::vector<Endpoint> anywhere(std::mt19937& random, std::size_t count) {
  std::vector<Endpoint> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(
        {IpAddress::v4(0xE0000000U | static_cast<std::uint32_t>(random() % 0x0FFFFFFFU)),
         static_cast<std::uint16_t>(random() % 65535)});
  std::ranges::sort(result);
  return result;
}

}  // namespace

TEST_CASE("pass_only: filters fit into whatever option memory a socket has left") {
  const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    WARN("skipped: no IPv6: " << errno_text(errno));
    return;
  }
  unsigned joined = 0;
  while (change(socket, joined, IPV6_JOIN_GROUP))
    ++joined;
  if (errno != ENOMEM) {
    WARN("skipped: no IPv6 on the loopback interface: " << errno_text(errno));
    return;
  }
  std::mt19937 random(3);
  const std::array sockets{Fd(socket)};
  for (unsigned room = 0; joined > 0; ++room) {
    change(socket, --joined, IPV6_LEAVE_GROUP);
    if (room < 100 || room % 7 != 0) continue;  // some 5 KiB at least
    SocketOptions(socket).detach_filter();
    for (const std::size_t count : {random() % 300, random() % 300, std::size_t{0}}) {
      CAPTURE(room, count);
      CHECK_NOTHROW(pass_only("any", sockets, anywhere(random, count), {}, 14));
    }
  }
}
