#include "mcr/host/port_guard.hpp"

#include <netinet/udp.h>

#include "mcr/host/ethtool.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

UniqueFd hold_port(const SocketAddress& address) noexcept {
  Socket socket(address.generic.sa_family, SOCK_DGRAM);
  if (!socket.valid()) return {};
  if (!socket.attach_filter(pass_nothing)) return {};
  socket.try_set(SOL_SOCKET, SO_RCVBUF, 0);  // the kernel's least
  // GRO leaves the datagrams for a socket alone that does not want them merged.
  if (superframes_are_described()) socket.try_set(SOL_UDP, UDP_GRO, 1);
  if (address.generic.sa_family == AF_INET6) socket.try_set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (!socket.bind(address)) return {};
  return std::move(socket).take();
}

}  // namespace mcr
