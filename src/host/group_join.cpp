#include "mcr/host/group_join.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "mcr/host/socket.hpp"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29  // Linux 4.20
#endif

namespace mcr {
namespace {

void store(sockaddr_storage& target, const IpAddress& address) noexcept {
  SocketAddress from(Endpoint{address, 0});
  std::memcpy(&target, &from.generic, from.length);
}

int level(const IpAddress& group) noexcept {
  return group.is_v6() ? IPPROTO_IPV6 : IPPROTO_IP;
}

template <typename Request>
int apply(Fd socket, const IpAddress& group, int option, const Request& request) noexcept {
  return SocketOptions(socket).try_set(level(group), option, request) ? 0 : errno;
}

int change(Fd socket, unsigned interface_index, const IpAddress& group, const IpAddress& source,
           int any_source, int one_source) noexcept {
  if (source) {
    group_source_req request{};
    request.gsr_interface = interface_index;
    store(request.gsr_group, group);
    store(request.gsr_source, source);
    return apply(socket, group, one_source, request);
  }
  group_req request{};
  request.gr_interface = interface_index;
  store(request.gr_group, group);
  return apply(socket, group, any_source, request);
}

}  // namespace

UniqueFd open_membership_socket(Family family) noexcept {
  Socket socket(static_cast<int>(family), SOCK_DGRAM, IPPROTO_UDP);
  if (!socket.valid()) return {};
  const auto [level, option] = family == Family::ipv6 ? std::pair{IPPROTO_IPV6, IPV6_MULTICAST_ALL}
                                                      : std::pair{IPPROTO_IP, IP_MULTICAST_ALL};
  if (socket.try_set(level, option, 0)) return std::move(socket).take();
  const int error = errno;
  std::move(socket).take().reset();
  errno = error;
  return {};
}

int join_group(Fd socket, unsigned interface_index, const IpAddress& group,
               const IpAddress& source) noexcept {
  return change(socket, interface_index, group, source, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP);
}

int block_source(Fd socket, unsigned interface_index, const IpAddress& group,
                 const IpAddress& source) noexcept {
  return change(socket, interface_index, group, source, MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE);
}

int leave_group(Fd socket, unsigned interface_index, const IpAddress& group,
                const IpAddress& source) noexcept {
  return change(socket, interface_index, group, source, MCAST_LEAVE_GROUP,
                MCAST_LEAVE_SOURCE_GROUP);
}

}  // namespace mcr
