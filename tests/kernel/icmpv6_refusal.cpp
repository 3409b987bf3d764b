// Fact: with IPV6_RECVERR an ICMPv6 "packet too big", which also a datagram to a group may bring
// (RFC 4443, section 2.4 e), fails the next send of its socket with EMSGSIZE, however small that
// is; "prohibited" fails it with EACCES. Once the error queue is drained the same send succeeds.
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <array>

#include "world.hpp"

namespace {

constexpr std::uint16_t port = 5000;

sockaddr_in6 endpoint6(const char* address, std::uint16_t at_port) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_port = htons(at_port);
  ::inet_pton(AF_INET6, address, &result.sin6_addr);
  return result;
}

int send_to(int socket, const sockaddr_in6& to) {
  const auto sent =
      ::sendto(socket, "12345678", 8, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return sent == 8 ? 0 : errno;
}

/// An ICMPv6 error about a datagram that left from `from` to `to`; the kernel adds the checksum.
void answer(int raw, std::uint8_t type, std::uint8_t code, const sockaddr_in6& from,
            const sockaddr_in6& to) {
  struct {
    icmp6_hdr icmp;
    ip6_hdr ip;
    udphdr udp;
    std::array<char, 8> payload;
  } message{};
  message.icmp.icmp6_type = type;
  message.icmp.icmp6_code = code;
  if (type == ICMP6_PACKET_TOO_BIG) message.icmp.icmp6_mtu = htonl(1280);
  message.ip.ip6_flow = htonl(6U << 28U);
  message.ip.ip6_plen = htons(sizeof message.udp + message.payload.size());
  message.ip.ip6_nxt = IPPROTO_UDP;
  message.ip.ip6_hlim = 16;
  message.ip.ip6_src = from.sin6_addr;
  message.ip.ip6_dst = to.sin6_addr;
  message.udp.source = from.sin6_port;
  message.udp.dest = to.sin6_port;
  message.udp.len = message.ip.ip6_plen;
  auto back = from;
  back.sin6_port = 0;
  world::need(static_cast<int>(::sendto(raw, &message, sizeof message, 0,
                                        reinterpret_cast<const sockaddr*>(&back), sizeof back)),
              "send an ICMPv6 error");
}

bool drain(int socket) {
  std::array<char, 512> control{};
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  return ::recvmsg(socket, &header, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int home = world::here();
  world::run("ip addr add 2001:db8::1/64 dev near nodad");
  const int socket = world::need(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  world::need(world::set(socket, IPPROTO_IPV6, IPV6_RECVERR, 1), "IPV6_RECVERR");
  const int near = static_cast<int>(::if_nametoindex("near"));
  world::need(world::set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, near), "IPV6_MULTICAST_IF");
  world::go(away);
  world::run("ip addr add 2001:db8::2/64 dev far nodad");
  const int raw = world::need(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), "raw");
  world::go(home);

  const auto group = endpoint6("ff15::1", port);
  world::expect(send_to(socket, group) == 0, "a datagram to a group leaves");
  auto from = endpoint6("2001:db8::1", 0);
  sockaddr_in6 bound{};
  socklen_t length = sizeof bound;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &length);
  from.sin6_port = bound.sin6_port;

  struct Case {
    std::uint8_t type, code;
    int error;
    const char* name;
  };
  for (const auto& [type, code, error, name] :
       {Case{ICMP6_PACKET_TOO_BIG, 0, EMSGSIZE, "packet too big"},
        Case{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, EACCES, "prohibited"}}) {
    answer(raw, type, code, from, group);
    int refused = 0;
    for (int tries = 0; tries < 1000 && refused == 0; ++tries)
      refused = send_to(socket, group);
    world::expect(refused == error, fmt::format("{}: the next send fails: {}", name, refused));
    world::expect(drain(socket), "its error queue has it");
    world::expect(send_to(socket, group) == 0, "drained, the same send succeeds");
  }
}
