// The control messages of a header, read back as the kernel reads them.
#include "mcr/packet/send_header.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <utility>

#include "catch.hpp"
#include "mcr/config/output.hpp"

using namespace mcr;

namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

Output output_to(const char* destination) {
  Output output;
  output.interface = "out";
  output.destination = ip(destination);
  output.port = 6000;
  return output;
}

Packet arriving(std::uint8_t ttl) {
  Packet packet;
  packet.source = {ip("10.0.0.5"), 4000};
  packet.ttl = ttl;
  return packet;
}

using Controls = std::map<std::pair<int, int>, std::vector<std::byte>>;

Controls controls(SendHeader header) {
  msghdr message{};
  message.msg_control = header.control.data();
  message.msg_controllen = header.control_bytes;
  Controls result;
  for (auto* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    const auto* data = reinterpret_cast<const std::byte*>(CMSG_DATA(at));
    result[{at->cmsg_level, at->cmsg_type}].assign(data, data + at->cmsg_len - CMSG_LEN(0));
  }
  return result;
}

/// -1: there is no such control message.
int integer(const SendHeader& header, int level, int type) {
  const auto all = controls(header);
  const auto found = all.find({level, type});
  if (found == all.end()) return -1;
  int value = 0;
  REQUIRE(found->second.size() == sizeof value);
  std::memcpy(&value, found->second.data(), sizeof value);
  return value;
}

}  // namespace

TEST_CASE("a header says interface, source and ttl") {
  auto output = output_to("239.1.1.1");
  output.ttl = Ttl::of(9);
  const auto header = make_send_header(output, 3, ip("10.1.0.1"));
  CHECK(header.destination.endpoint() == Endpoint{ip("239.1.1.1"), 6000});
  CHECK(integer(header, IPPROTO_IP, IP_TTL) == 9);
  const auto data = controls(header).at({IPPROTO_IP, IP_PKTINFO});
  in_pktinfo info{};
  REQUIRE(data.size() == sizeof info);
  std::memcpy(&info, data.data(), sizeof info);
  CHECK(info.ipi_ifindex == 3);
  CHECK(ntohl(info.ipi_spec_dst.s_addr) == 0x0A010001);
  CHECK(per_packet_fields_of(output) == 0);
}

TEST_CASE("an IPv6 header says the same in its own words") {
  auto output = output_to("ff05::1");
  output.ttl = Ttl::of(9);
  const auto header = make_send_header(output, 3, ip("2001:db8::1"));
  CHECK(header.destination.endpoint() == Endpoint{ip("ff05::1"), 6000});
  CHECK(integer(header, IPPROTO_IPV6, IPV6_HOPLIMIT) == 9);
  const auto data = controls(header).at({IPPROTO_IPV6, IPV6_PKTINFO});
  in6_pktinfo info{};
  REQUIRE(data.size() == sizeof info);
  std::memcpy(&info, data.data(), sizeof info);
  CHECK(info.ipi6_ifindex == 3);
  CHECK(IpAddress::v6(info.ipi6_addr.s6_addr) == ip("2001:db8::1"));
}

TEST_CASE("the system's ttl is not said at all") {
  const auto header = make_send_header(output_to("10.9.9.9"), 3, ip("10.1.0.1"));
  CHECK(controls(header).size() == 1);
}

TEST_CASE("a preserved ttl is the packet's, or one less; at 0 the packet is dropped") {
  const auto [mode, ttl, leaving] = GENERATE(table<Ttl::Mode, std::uint8_t, int>({
      {Ttl::Mode::preserve, std::uint8_t{255}, 255},
      {Ttl::Mode::preserve, std::uint8_t{1}, 1},
      {Ttl::Mode::preserve, std::uint8_t{0}, 0},
      {Ttl::Mode::decrement, std::uint8_t{255}, 254},
      {Ttl::Mode::decrement, std::uint8_t{2}, 1},
      {Ttl::Mode::decrement, std::uint8_t{1}, 0},
      {Ttl::Mode::decrement, std::uint8_t{0}, 0},
  }));
  for (const auto& [destination, source, level, type] :
       {std::tuple("239.1.1.1", "10.1.0.1", int{IPPROTO_IP}, IP_TTL),
        std::tuple("ff05::1", "2001:db8::1", int{IPPROTO_IPV6}, IPV6_HOPLIMIT)}) {
    auto output = output_to(destination);
    output.ttl = {mode};
    auto header = make_send_header(output, 3, ip(source));
    const auto before = controls(header).size();
    const auto drop = fill_per_packet_fields(header, per_packet_fields_of(output), arriving(ttl));
    if (leaving == 0) {
      CHECK(drop == OutputDrop::ttl_expired);
    } else {
      CHECK_FALSE(drop);
      CHECK(integer(header, level, type) == leaving);
      CHECK(controls(header).size() == before);
    }
  }
}

TEST_CASE("a dscp, the output's or the packet's, leaves without ECN bits") {
  const auto said = [](const char* destination, const char* source, Dscp dscp) {
    auto output = output_to(destination);
    output.ttl = Ttl::of(9);
    output.dscp = dscp;
    auto header = make_send_header(output, 3, ip(source));
    auto packet = arriving(1);
    packet.traffic_class = 34 << 2 | 3;
    CHECK_FALSE(fill_per_packet_fields(header, per_packet_fields_of(output), packet));
    CHECK(integer(header, IPPROTO_IP, IP_TTL) + integer(header, IPPROTO_IPV6, IPV6_HOPLIMIT) ==
          9 - 1);
    return header;
  };
  CHECK(integer(said("239.1.1.1", "10.1.0.1", {}), IPPROTO_IP, IP_TOS) == -1);
  CHECK(integer(said("239.1.1.1", "10.1.0.1", {.value = 46}), IPPROTO_IP, IP_TOS) == 46 << 2);
  CHECK(integer(said("239.1.1.1", "10.1.0.1", {.preserve = true}), IPPROTO_IP, IP_TOS) == 34 << 2);
  CHECK(integer(said("ff05::1", "::2", {.value = 46}), IPPROTO_IPV6, IPV6_TCLASS) == 46 << 2);
  CHECK(integer(said("ff05::1", "::2", {.preserve = true}), IPPROTO_IPV6, IPV6_TCLASS) == 34 << 2);
}

TEST_CASE("a preserved source is the packet's, unless no host can have it") {
  const auto filled = [](const char* destination, const char* own, const char* sender,
                         SendHeader& header) {
    auto output = output_to(destination);
    output.source = {Source::Mode::preserve, {}};
    output.ttl = Ttl::of(9);
    header = make_send_header(output, 3, ip(own));
    Packet packet;
    packet.source = {ip(sender), 4000};
    return fill_per_packet_fields(header, per_packet_fields_of(output), packet);
  };
  SendHeader header;
  REQUIRE_FALSE(filled("239.1.1.1", "0.0.0.0", "203.0.113.7", header));
  in_pktinfo info{};
  std::memcpy(&info, controls(header).at({IPPROTO_IP, IP_PKTINFO}).data(), sizeof info);
  CHECK(info.ipi_ifindex == 3);
  CHECK(ntohl(info.ipi_spec_dst.s_addr) == 0xCB007107);
  CHECK(integer(header, IPPROTO_IP, IP_TTL) == 9);

  REQUIRE_FALSE(filled("ff05::1", "::", "2001:db8::7", header));
  in6_pktinfo info6{};
  std::memcpy(&info6, controls(header).at({IPPROTO_IPV6, IPV6_PKTINFO}).data(), sizeof info6);
  CHECK(info6.ipi6_ifindex == 3);
  CHECK(IpAddress::v6(info6.ipi6_addr.s6_addr) == ip("2001:db8::7"));

  for (const char* sender : {"0.0.0.0", "239.1.1.1", "255.255.255.255", "127.0.0.1"})
    CHECK(filled("239.1.1.1", "0.0.0.0", sender, header) == OutputDrop::send_error);
}
