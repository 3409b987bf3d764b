#include "mcr/hold_port.hpp"

#include <linux/filter.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "mcr/filter.hpp"
#include "mcr/offload.hpp"

namespace mcr {

namespace {

template <typename Value>
bool set_option(Fd socket, int level, int option, const Value& value) noexcept {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

}  // namespace

UniqueFd hold_port(const SocketAddress& address) noexcept {
  UniqueFd socket(::socket(address.generic.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return {};
  auto program = drop_all_filter();
  const sock_fprog description{static_cast<unsigned short>(program.size()), program.data()};
  if (!set_option(socket, SOL_SOCKET, SO_ATTACH_FILTER, description)) return {};
  set_option(socket, SOL_SOCKET, SO_RCVBUF, 0);  // the kernel's least
  // GRO leaves the datagrams for a socket alone that does not want them merged.
  if (superframes_are_described()) set_option(socket, SOL_UDP, UDP_GRO, 1);
  if (address.generic.sa_family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(socket.get(), &address.generic, address.length) != 0) return {};
  return socket;
}

}  // namespace mcr
