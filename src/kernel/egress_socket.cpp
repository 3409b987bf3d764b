#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "mcr/egress.hpp"
#include "mcr/error.hpp"
#include "mcr/filter.hpp"

namespace mcr {

namespace {

void set_option(Fd socket, int level, int option, int value, std::string_view what,
                const std::string& interface) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof value) != 0)
    throw_errno(what, "for " + interface);
}

/// Nothing is ever read from an egress socket: what is sent to its port must not fill it.
void receive_nothing(Fd socket, const std::string& interface) {
  const auto program = drop_all_filter();
  const sock_fprog description{static_cast<unsigned short>(program.size()),
                               const_cast<sock_filter*>(program.data())};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &description, sizeof description) !=
      0)
    throw_errno("close egress socket for receiving", "for " + interface);
}

/// IP_RECVERR makes a drop by the queueing discipline an error of the send (ENOBUFS) instead of a
/// success. Without a loop, a group of ours does not come back to this host.
void set_ipv4_options(Fd socket, const std::string& interface) {
  set_option(socket, IPPROTO_IP, IP_RECVERR, 1, "ask for send errors", interface);
  set_option(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "switch loopback off", interface);
  set_option(socket, IPPROTO_IP, IP_MULTICAST_ALL, 0, "refuse foreign groups", interface);
}

void set_ipv6_options(Fd socket, const std::string& interface) {
  set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, "take IPv6 only", interface);
  set_option(socket, IPPROTO_IPV6, IPV6_RECVERR, 1, "ask for send errors", interface);
  set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "switch loopback off", interface);
  set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "refuse foreign groups", interface);
}

}  // namespace

UniqueFd open_egress(const std::string& interface, const EgressKey& key) {
  UniqueFd socket(
      ::socket(static_cast<int>(key.family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) throw_errno("open UDP socket", "for " + interface);
  receive_nothing(socket, interface);
  if (key.family == Family::ipv6)
    set_ipv6_options(socket, interface);
  else
    set_ipv4_options(socket, interface);
  return socket;
}

}  // namespace mcr
