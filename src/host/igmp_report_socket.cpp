#include "mcr/host/igmp_report_socket.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>

#include "mcr/base/group_link_address.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

template <typename Value>
void prepare(const Socket& socket, int level, int option, const Value& value,
             const std::string& interface) {
  socket.set(level, option, value, "prepare a membership report", "for " + interface);
}

void set_ipv4_options(const Socket& socket, const std::string& interface,
                      unsigned interface_index) {
  constexpr std::array<std::uint8_t, 4> router_alert{IPOPT_RA, 4, 0, 0};  // RFC 2113
  constexpr int internet_control = 0xC0;                                  // RFC 3376, 4.
  ip_mreqn out{};
  out.imr_ifindex = static_cast<int>(interface_index);
  prepare(socket, IPPROTO_IP, IP_MULTICAST_IF, out, interface);
  prepare(socket, IPPROTO_IP, IP_OPTIONS, router_alert, interface);
  prepare(socket, IPPROTO_IP, IP_TOS, internet_control, interface);
  prepare(socket, IPPROTO_IP, IP_MULTICAST_TTL, 1, interface);
  prepare(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0, interface);
}

void set_ipv6_options(const Socket& socket, const std::string& interface,
                      unsigned interface_index) {
  // A hop-by-hop header with Router Alert for MLD (RFC 2711) and padding.
  constexpr std::array<std::uint8_t, 8> router_alert{0, 0, 5, 2, 0, 0, 1, 0};
  prepare(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interface_index), interface);
  prepare(socket, IPPROTO_IPV6, IPV6_HOPOPTS, router_alert, interface);
  prepare(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, interface);
  prepare(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, interface);
}

}  // namespace

UniqueFd open_report_socket(const std::string& interface, unsigned interface_index, Family family) {
  const bool is_v6 = family == Family::ipv6;
  Socket socket(static_cast<int>(family), SOCK_RAW | SOCK_NONBLOCK,
                is_v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_IGMP});
  if (!socket.valid()) throw_errno("open a socket for membership reports", "for " + interface);
  if (is_v6)
    set_ipv6_options(socket, interface, interface_index);
  else
    set_ipv4_options(socket, interface, interface_index);
  return std::move(socket).take();
}

int send_report(Fd socket, unsigned interface_index, const ReportMessage& message) noexcept {
  const SocketAddress to({message.destination, 0}, interface_index);
  const auto sent =
      ::sendto(socket.get(), message.bytes.data(), message.bytes.size(), 0, &to.generic, to.length);
  return sent < 0 ? errno : 0;
}

UniqueFd open_packet_report_socket(const std::string& interface) {
  Socket socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK);
  if (!socket.valid()) throw_errno("open a socket for membership reports", "for " + interface);
  return std::move(socket).take();
}

int send_report_from_nobody(Fd socket, unsigned interface_index,
                            const ReportMessage& message) noexcept try {
  const auto packet = packet_from_nobody(message);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(message.destination.is_v6() ? ETH_P_IPV6 : ETH_P_IP);
  address.sll_ifindex = static_cast<int>(interface_index);
  address.sll_halen = ETH_ALEN;
  const auto mac = group_link_address(message.destination);
  std::memcpy(address.sll_addr, mac.data(), mac.size());
  const auto sent = ::sendto(socket.get(), packet.data(), packet.size(), 0,
                             reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return sent < 0 ? errno : 0;
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

unsigned igmp_version(const std::string& interface) {
  std::ifstream file("/proc/net/igmp");
  return igmp_version(interface, file);
}

// "2\teth0      :     3      V2"; groups stand on lines of their own, indented. No name has a
// colon.
unsigned igmp_version(const std::string& interface, std::istream& proc_net_igmp) {
  for (std::string line; std::getline(proc_net_igmp, line);) {
    if (const auto colon = line.find(':'); colon != std::string::npos) line[colon] = ' ';
    std::istringstream words(line);
    unsigned index = 0;
    unsigned count = 0;
    std::string name;
    std::string version;
    if (words >> index >> name >> count >> version && name == interface && version.size() == 2 &&
        version[0] == 'V')
      return static_cast<unsigned>(version[1] - '0');
  }
  return 0;
}

}  // namespace mcr
