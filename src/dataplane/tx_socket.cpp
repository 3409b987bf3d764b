#include <fmt/format.h>
#include <netinet/in.h>

#include "mcr/base/error.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

/// A socket that is bound to it is sent nothing: RFC 7600 (a dummy, never a destination), RFC 6666
/// (discard).
IpAddress blackhole_address(Family family) {
  return *IpAddress::parse(family == Family::ipv6 ? "100::1" : "192.0.0.8");
}

/// IP_TRANSPARENT is allowed with CAP_NET_RAW, which we have in any case.
/// IP_RECVERR makes a drop by the queueing discipline an error of the send (ENOBUFS) instead of a
/// success. Without a loop, a group of ours does not come to this host's own listeners.
void set_ipv4_options(const Socket& socket, const TxKey& key, const std::string& whose) {
  socket.set(IPPROTO_IP, IP_RECVERR, 1, "ask for send errors", whose);
  socket.set(IPPROTO_IP, IP_MULTICAST_LOOP, int{key.loopback}, "set loopback", whose);
  socket.set(IPPROTO_IP, IP_MULTICAST_ALL, 0, "refuse foreign groups", whose);
  socket.set(IPPROTO_IP, IP_FREEBIND, 1, "bind to any address", whose);
  if (key.any_source) socket.set(IPPROTO_IP, IP_TRANSPARENT, 1, "send from any source", whose);
  if (!key.multicast) socket.set(SOL_SOCKET, SO_BROADCAST, 1, "allow broadcasts", whose);
}

void set_ipv6_options(const Socket& socket, const TxKey& key, const std::string& whose) {
  if (!key.raw) socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 1, "take IPv6 only", whose);
  socket.set(IPPROTO_IPV6, IPV6_RECVERR, 1, "ask for send errors", whose);
  socket.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, int{key.loopback}, "set loopback", whose);
  socket.set(IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "refuse foreign groups", whose);
  socket.set(IPPROTO_IPV6, IPV6_FREEBIND, 1, "bind to any address", whose);
  if (key.any_source) socket.set(IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "send from any source", whose);
}

/// See SourcePort. A raw socket would be offered all of the host's datagrams otherwise.
void bind_source_port(const Socket& socket, const TxKey& key, const std::string& whose) {
  if (key.source_port == 0 && !key.raw) return;
  socket.set(SOL_SOCKET, SO_REUSEADDR, 1, "share a source port", whose);
  const SocketAddress local({blackhole_address(key.family), key.source_port});
  if (!socket.bind(local)) throw_errno(fmt::format("bind source port {}", key.source_port), whose);
}

}  // namespace

UniqueFd open_tx_socket(const std::string& interface, const TxKey& key) {
  const auto whose = "for " + interface;
  const int type = (key.raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK;
  Socket socket(static_cast<int>(key.family), type, IPPROTO_UDP);
  if (!socket.valid()) throw_errno("open UDP socket", whose);
  socket.receive_nothing(whose);
  if (key.family == Family::ipv6)
    set_ipv6_options(socket, key, whose);
  else
    set_ipv4_options(socket, key, whose);
  bind_source_port(socket, key, whose);
  return std::move(socket).take();
}

}  // namespace mcr
