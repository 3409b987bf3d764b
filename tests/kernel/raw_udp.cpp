// Fact: a raw UDP socket with IP_TRANSPARENT sends the UDP header that it is given, from any source
// address. Bound to an address that nobody has, it is offered nothing of what the host receives,
// and unlike one that is not bound it needs no port and takes none from other programs. The port of
// an IPv6 destination must be 0.
#include <netinet/udp.h>

#include <array>

#include "world.hpp"

namespace {

constexpr std::uint16_t source_port = 4321;
constexpr std::uint16_t port = 5000;
constexpr int transparent6 = 75;  // IPV6_TRANSPARENT, which <netinet/in.h> may lack

sockaddr_in6 endpoint6(const char* address, std::uint16_t at_port) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_port = htons(at_port);
  ::inet_pton(AF_INET6, address, &result.sin6_addr);
  return result;
}

/// "hello" with a UDP header of its own; the checksum is absent, which only IPv4 takes.
template <typename Info, typename Address>
int send_from(int socket, int level, int type, const Info& info, const Address& to) {
  udphdr udp{};
  udp.source = htons(source_port);
  udp.dest = htons(port);
  udp.len = htons(sizeof udp + 5);
  std::array<char, 5> payload{'h', 'e', 'l', 'l', 'o'};
  std::array<iovec, 2> pieces{{{&udp, sizeof udp}, {payload.data(), payload.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Info))> control{};
  auto destination = to;
  msghdr message{};
  message.msg_name = &destination;
  message.msg_namelen = sizeof destination;
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  return ::sendmsg(socket, &message, 0) < 0 ? errno : 0;
}

int send4(int socket, const char* source) {
  in_pktinfo info{};
  info.ipi_ifindex = static_cast<int>(::if_nametoindex("near"));
  ::inet_pton(AF_INET, source, &info.ipi_spec_dst);
  return send_from(socket, IPPROTO_IP, IP_PKTINFO, info, world::endpoint("10.0.0.2", 0));
}

int send6(int socket, const char* source, const sockaddr_in6& to) {
  in6_pktinfo info{};
  info.ipi6_ifindex = ::if_nametoindex("near");
  ::inet_pton(AF_INET6, source, &info.ipi6_addr);
  return send_from(socket, IPPROTO_IPV6, IPV6_PKTINFO, info, to);
}

bool has_heard(int raw) {
  std::array<char, 100> buffer{};
  return ::recv(raw, buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int home = world::here();
  world::run("ip addr add 2001:db8::1/64 dev near nodad");

  const int raw = world::need(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), "socket");
  world::expect(world::set(raw, IPPROTO_IP, IP_TRANSPARENT, 1) == 0, "IP_TRANSPARENT is allowed");
  const auto nobody = world::endpoint("192.0.0.8", 0);
  world::expect(::bind(raw, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0,
                "a raw socket can be bound to an address that nobody has");
  const int unbound =
      world::need(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), "socket");

  world::go(away);
  for (const char* name : {"all", "far"})
    world::write_file(fmt::format("/proc/sys/net/ipv4/conf/{}/rp_filter", name), "0");
  world::run("ip route add 203.0.113.0/24 dev far");
  const int listener = world::listener(port);
  world::go(home);

  world::expect(send4(raw, "203.0.113.7") == 0, "a datagram from a foreign address leaves");
  sockaddr_in from{};
  socklen_t length = sizeof from;
  std::array<char, 100> buffer{};
  const auto heard = ::recvfrom(listener, buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &length);
  world::expect(heard == 5, "it arrives");
  const auto expected = world::endpoint("203.0.113.7", source_port);
  world::expect(
      from.sin_addr.s_addr == expected.sin_addr.s_addr && from.sin_port == htons(source_port),
      "with the address and the port that were said");

  const auto here = world::endpoint("10.0.0.1", 5001);
  const int other = world::need(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  ::sendto(other, "hi", 2, 0, reinterpret_cast<const sockaddr*>(&here), sizeof here);
  world::expect(has_heard(unbound), "a raw socket that is not bound hears what the host receives");
  world::expect(!has_heard(raw), "the bound one does not");

  const int raw6 = world::need(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), "socket");
  world::expect(world::set(raw6, IPPROTO_IPV6, transparent6, 1) == 0, "so is IPV6_TRANSPARENT");
  const auto nobody6 = endpoint6("100::1", 0);
  world::expect(::bind(raw6, reinterpret_cast<const sockaddr*>(&nobody6), sizeof nobody6) == 0,
                "bound to an IPv6 address that nobody has");
  world::expect(send6(raw6, "2001:db8:9::7", endpoint6("ff15::1", 0)) == 0, "it sends to port 0");
  world::expect(send6(raw6, "2001:db8:9::7", endpoint6("ff15::1", port)) == EINVAL,
                "and to no other");
}
