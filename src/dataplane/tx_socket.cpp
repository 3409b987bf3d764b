#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "mcr/base/error.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/host/socket_options.hpp"

namespace mcr {

namespace {

/// What is bound to it is sent nothing: RFC 7600 (a dummy, never a destination), RFC 6666
/// (discard).
IpAddress blackhole_address(Family family) {
  return *IpAddress::parse(family == Family::ipv6 ? "100::1" : "192.0.0.8");
}

/// IP_TRANSPARENT is allowed with CAP_NET_RAW, which we have in any case.
/// IP_RECVERR makes a drop by the queueing discipline an error of the send (ENOBUFS) instead of a
/// success. Without a loop, a group of ours does not come to this host's own listeners.
void set_ipv4_options(Fd socket, const TxKey& key, const std::string& whose) {
  set_option(socket, IPPROTO_IP, IP_RECVERR, 1, "ask for send errors", whose);
  set_option(socket, IPPROTO_IP, IP_MULTICAST_LOOP, int{key.loopback}, "set loopback", whose);
  set_option(socket, IPPROTO_IP, IP_MULTICAST_ALL, 0, "refuse foreign groups", whose);
  set_option(socket, IPPROTO_IP, IP_FREEBIND, 1, "bind to any address", whose);
  if (key.any_source)
    set_option(socket, IPPROTO_IP, IP_TRANSPARENT, 1, "send from any source", whose);
}

void set_ipv6_options(Fd socket, const TxKey& key, const std::string& whose) {
  if (!key.raw) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, "take IPv6 only", whose);
  set_option(socket, IPPROTO_IPV6, IPV6_RECVERR, 1, "ask for send errors", whose);
  set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, int{key.loopback}, "set loopback", whose);
  set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "refuse foreign groups", whose);
  set_option(socket, IPPROTO_IPV6, IPV6_FREEBIND, 1, "bind to any address", whose);
  if (key.any_source)
    set_option(socket, IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "send from any source", whose);
}

/// See SourcePort. A raw socket would be offered all of the host's datagrams otherwise.
void bind_source_port(Fd socket, const TxKey& key, const std::string& whose) {
  if (key.source_port == 0 && !key.raw) return;
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1, "share a source port", whose);
  const SocketAddress local({blackhole_address(key.family), key.source_port});
  if (::bind(socket.get(), &local.generic, local.length) != 0)
    throw_errno(fmt::format("bind source port {}", key.source_port), whose);
}

}  // namespace

UniqueFd open_tx_socket(const std::string& interface, const TxKey& key) {
  const auto whose = "for " + interface;
  const int type = (key.raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  UniqueFd socket(::socket(static_cast<int>(key.family), type, IPPROTO_UDP));
  if (!socket.valid()) throw_errno("open UDP socket", whose);
  receive_nothing(socket, whose);
  if (key.family == Family::ipv6)
    set_ipv6_options(socket, key, whose);
  else
    set_ipv4_options(socket, key, whose);
  bind_source_port(socket, key, whose);
  return socket;
}

}  // namespace mcr
