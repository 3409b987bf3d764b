#include "mcr/host/port_guard.hpp"

#include <netinet/udp.h>
#include <sys/socket.h>

#include "mcr/host/ethtool.hpp"
#include "mcr/host/socket_options.hpp"

namespace mcr {

namespace {

bool set_int(Fd socket, int level, int option, int value) noexcept {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

}  // namespace

UniqueFd hold_port(const SocketAddress& address) noexcept {
  UniqueFd socket(::socket(address.generic.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return {};
  if (!attach_filter(socket, pass_nothing)) return {};
  set_int(socket, SOL_SOCKET, SO_RCVBUF, 0);  // the kernel's least
  // GRO leaves the datagrams for a socket alone that does not want them merged.
  if (superframes_are_described()) set_int(socket, SOL_UDP, UDP_GRO, 1);
  if (address.generic.sa_family == AF_INET6) set_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(socket.get(), &address.generic, address.length) != 0) return {};
  return socket;
}

}  // namespace mcr
