// Options of ip(7), ipv6(7) and socket(7). A listener is bound to the group's address, not to any:
// so it takes no unicast datagram away from a responder of this host.
#include "mcr/host/group_socket.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include "mcr/base/error.hpp"
#include "mcr/host/group_join.hpp"

namespace mcr {

Socket open_group_socket(Family family, const std::string& interface) {
  const auto whose = "for " + interface;
  Socket socket(static_cast<int>(family), SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
  if (!socket.valid()) throw_errno("open UDP socket", whose);
  socket.bind_to_device(interface);
  const bool v6 = family == Family::ipv6;
  const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (v6) socket.set(level, IPV6_V6ONLY, 1, "take IPv6 only", whose);
  socket.set(level, v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, 0, "set loopback", whose);
  socket.set(level, v6 ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, 0, "refuse foreign groups", whose);
  return socket;
}

UniqueFd open_group_listener(const Endpoint& group, const std::string& interface, unsigned index) {
  auto socket = open_group_socket(group.address.family(), interface);
  const auto whose = fmt::format("for {} on {}", group, interface);
  socket.set(SOL_SOCKET, SO_REUSEADDR, 1, "share a port", whose);
  if (!socket.bind(SocketAddress(group, index))) throw_errno("bind", whose);
  if (const int error = join_group(socket, index, group.address, {}); error != 0)
    throw OsError(error, "join", whose);
  return std::move(socket).take();
}

}  // namespace mcr
