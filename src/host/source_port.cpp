#include "mcr/host/source_port.hpp"

#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <string>

#include "mcr/base/address.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

constexpr int tries = 64;

UniqueFd open_holder(Family family) {
  Socket socket(static_cast<int>(family), SOCK_DGRAM | SOCK_NONBLOCK);
  if (!socket.valid()) {
    if (family == Family::ipv6 && errno == EAFNOSUPPORT) return {};
    throw_errno("open UDP socket", "to hold a source port");
  }
  socket.receive_nothing("of a source port");
  if (family == Family::ipv6)
    socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 1, "take IPv6 only", "of a source port");
  else
    socket.set(IPPROTO_IP, IP_MULTICAST_ALL, 0, "refuse foreign groups", "of a source port");
  return std::move(socket).take();
}

/// Binds the port exclusively, and only then lets our own sockets share it. Returns 0 or errno.
int hold(SocketOptions socket, Family family, std::uint16_t port) {
  constexpr std::array<std::uint8_t, 16> any{};
  const auto address = family == Family::ipv6 ? IpAddress::v6(any) : IpAddress::v4(0);
  const SocketAddress local({address, port});
  if (!socket.bind(local)) return errno;
  socket.set(SOL_SOCKET, SO_REUSEADDR, 1, "share a port", "of a source port");
  return 0;
}

std::uint16_t port_of(Fd socket) {
  SocketAddress address;
  address.length = sizeof address.v6;
  if (::getsockname(socket.get(), &address.generic, &address.length) != 0)
    throw_errno("read the port", "of a socket");
  return address.endpoint().port;
}

}  // namespace

SourcePort::SourcePort() {
  for (int i = 0; i < tries; ++i) {
    v4_ = open_holder(Family::ipv4);
    v6_ = open_holder(Family::ipv6);
    errno = hold(SocketOptions(v4_), Family::ipv4, 0);
    if (errno != 0) break;
    number_ = port_of(v4_);
    if (!v6_.valid()) return;
    const int error = hold(SocketOptions(v6_), Family::ipv6, number_);
    if (error == 0) return;
    errno = error;
    if (error != EADDRINUSE) break;
  }
  throw_errno("find a free source port");
}

SourcePort::SourcePort(std::uint16_t port)
    : v4_(open_holder(Family::ipv4)), v6_(open_holder(Family::ipv6)), number_(port) {
  const int v4_error = hold(SocketOptions(v4_), Family::ipv4, port);
  const int v6_error = v6_.valid() ? hold(SocketOptions(v6_), Family::ipv6, port) : 0;
  held_ = v4_error == 0 && v6_error == 0;
  if (!held_)
    log::info("source port {} is not ours alone: {}", port,
              errno_text(v4_error != 0 ? v4_error : v6_error));
}

}  // namespace mcr
