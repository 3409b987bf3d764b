#include "mcr/packet/parse.hpp"

#include <random>
#include <string>

#include "catch.hpp"
#include "frame_builder.hpp"

using mcr::InputDrop;
using mcr::Packet;
using mcr::VnetHeader;
using mcr::test::Extension;
using mcr::test::FrameBuilder;

namespace {

VnetHeader superframe(std::uint16_t segment) {
  VnetHeader vnet;
  vnet.flags = VnetHeader::needs_checksum;
  vnet.gso_type = VnetHeader::gso_udp_l4;
  vnet.gso_size = segment;
  vnet.header_bytes = 42;
  return vnet;
}

std::optional<InputDrop> drop_of(const FrameBuilder& frame, const VnetHeader& vnet = {}) {
  Packet packet;
  return mcr::parse_frame(frame.build(), vnet, frame.link_header, packet);
}

}  // namespace

TEST_CASE("a plain datagram is read as it was sent") {
  for (const std::size_t link_header : {14U, 0U})
    for (const std::size_t options : {0U, 4U, 40U})
      for (const std::size_t size : {0U, 1U, 46U, 1472U, 65507U}) {
        FrameBuilder frame;
        frame.link_header = link_header;
        frame.option_bytes = size > 65000 ? 0 : options;
        frame.payload.assign(size, 0xA5);
        frame.padding = size < 18 ? 18 - size : 0;
        const auto bytes = frame.build();
        Packet packet;
        REQUIRE_FALSE(mcr::parse_frame(bytes, {}, link_header, packet));
        CHECK(packet.source == frame.source);
        CHECK(packet.destination == frame.destination);
        CHECK(packet.payload.size() == size);
        CHECK(packet.segment == size);
        CHECK(packet.datagrams == 1);
        CHECK_FALSE(packet.checksum_trusted);
        CHECK(mcr::udp_checksum_holds(packet));
      }
}

TEST_CASE("a UDP header is made as it was sent") {
  for (auto frame : {FrameBuilder{}, FrameBuilder::ipv6()})
    for (const std::size_t size : {0U, 1U, 2U, 3U, 1471U, 65507U}) {
      frame.payload.assign(size, 0xA5);
      const auto bytes = frame.build();
      Packet packet;
      REQUIRE_FALSE(mcr::parse_frame(bytes, {}, frame.link_header, packet));
      const auto header = mcr::make_udp_header(frame.source, frame.destination, packet.payload);
      CHECK(std::ranges::equal(header, std::span(packet.payload.data() - 8, 8)));
    }
}

TEST_CASE("a UDP checksum of 0 is sent as its complement") {
  const std::array<std::byte, 2> nothing{};
  const FrameBuilder frame;
  const auto header = mcr::make_udp_header(frame.source, frame.destination, nothing);
  const std::array filling{header[6], header[7]};  // makes the sum a whole one
  const auto without = mcr::make_udp_header(frame.source, frame.destination, filling);
  CHECK(without[6] == std::byte{0xFF});
  CHECK(without[7] == std::byte{0xFF});
}

TEST_CASE("ttl and traffic class are the header's") {
  for (auto frame : {FrameBuilder{}, FrameBuilder::ipv6()}) {
    frame.ttl = 1;
    frame.traffic_class = 46 << 2 | 1;
    const auto bytes = frame.build();
    Packet packet;
    REQUIRE_FALSE(mcr::parse_frame(bytes, {}, frame.link_header, packet));
    CHECK(packet.ttl == 1);
    CHECK(packet.traffic_class == (46 << 2 | 1));
  }
}

TEST_CASE("each frame that cannot be forwarded has its own drop reason") {
  struct Case {
    std::string name;
    void (*change)(FrameBuilder&);
    InputDrop expected;
  };
  const std::vector<Case> cases{
      {"ARP", [](FrameBuilder& f) { f.ethertype = 0x0806; }, InputDrop::not_ip},
      {"IPv6 in an IPv4 frame", [](FrameBuilder& f) { f.version = 6; }, InputDrop::not_ip},
      {"TCP", [](FrameBuilder& f) { f.protocol = 6; }, InputDrop::not_udp},
      {"first fragment", [](FrameBuilder& f) { f.fragment = 0x2000; }, InputDrop::fragment},
      {"later fragment", [](FrameBuilder& f) { f.fragment = 0x0010; }, InputDrop::fragment},
      {"IP header too short", [](FrameBuilder& f) { f.header_words_error = -1; },
       InputDrop::bad_length},
      {"IP header longer than the packet", [](FrameBuilder& f) { f.header_words_error = 10; },
       InputDrop::bad_length},
      {"IP length beyond the frame", [](FrameBuilder& f) { f.ip_length_error = 1; },
       InputDrop::truncated},
      {"IP length below its header", [](FrameBuilder& f) { f.ip_length_error = -20; },
       InputDrop::bad_length},
      {"a damaged IP header", [](FrameBuilder& f) { f.break_header_checksum = true; },
       InputDrop::bad_checksum},
      {"UDP length beyond the packet", [](FrameBuilder& f) { f.udp_length_error = 1; },
       InputDrop::bad_length},
      {"UDP length below its header", [](FrameBuilder& f) { f.udp_length_error = -6; },
       InputDrop::bad_length},
  };
  for (const auto& test : cases) {
    INFO(test.name);
    FrameBuilder frame;
    test.change(frame);
    const auto drop = drop_of(frame);
    REQUIRE(drop);
    CHECK(*drop == test.expected);
  }
  CHECK_FALSE(drop_of(FrameBuilder{}));
}

TEST_CASE("a plain IPv6 datagram is read as it was sent") {
  for (const std::size_t link_header : {14U, 0U})
    for (const std::size_t size : {0U, 1U, 46U, 1452U, 65527U}) {
      auto frame = FrameBuilder::ipv6();
      frame.link_header = link_header;
      frame.payload.assign(size, 0xA5);
      frame.padding = 3;
      const auto bytes = frame.build();
      Packet packet;
      REQUIRE_FALSE(mcr::parse_frame(bytes, {}, link_header, packet));
      CHECK(packet.source == frame.source);
      CHECK(packet.destination == frame.destination);
      CHECK(packet.payload.size() == size);
      CHECK(packet.segment == size);
      CHECK(packet.datagrams == 1);
      CHECK_FALSE(packet.checksum_trusted);
      CHECK(mcr::udp_checksum_holds(packet));
    }
}

TEST_CASE("IPv6 extension headers are skipped, or give the drop reason") {
  struct Case {
    std::string name;
    std::vector<Extension> headers;
    std::optional<InputDrop> expected;
  };
  auto beyond_the_packet = Extension::hop_by_hop();
  beyond_the_packet.bytes[1] = 2;
  auto longer_than_itself = Extension::authentication();
  longer_than_itself.bytes[1] = 255;
  const std::vector<Case> cases{
      {"hop-by-hop", {Extension::hop_by_hop()}, {}},
      {"destination options", {Extension::destination_options()}, {}},
      {"authentication", {Extension::authentication()}, {}},
      {"routing, at its end", {Extension::routing(0)}, {}},
      {"all of them",
       {Extension::hop_by_hop(), Extension::destination_options(), Extension::routing(0),
        Extension::fragment(0, false), Extension::authentication(),
        Extension::destination_options()},
       {}},
      {"a fragment that is the whole", {Extension::fragment(0, false)}, {}},
      {"first fragment", {Extension::fragment(0, true)}, InputDrop::fragment},
      {"last fragment", {Extension::fragment(4, false)}, InputDrop::fragment},
      {"fragment behind options",
       {Extension::hop_by_hop(), Extension::fragment(0, true)},
       InputDrop::fragment},
      {"routing, not at its end", {Extension::routing(1)}, InputDrop::not_udp},
      {"hop-by-hop in second place",
       {Extension::destination_options(), Extension::hop_by_hop()},
       InputDrop::bad_length},
      {"a length beyond the packet", {beyond_the_packet}, InputDrop::bad_length},
      {"a length far beyond the packet", {longer_than_itself}, InputDrop::bad_length},
      {"too many", std::vector(9, Extension::destination_options()), InputDrop::bad_length},
      {"as many as may be", std::vector(8, Extension::destination_options()), {}},
  };
  for (const auto& test : cases) {
    INFO(test.name);
    auto frame = FrameBuilder::ipv6();
    frame.extensions = test.headers;
    const auto bytes = frame.build();
    Packet packet;
    CHECK(mcr::parse_frame(bytes, {}, 14, packet) == test.expected);
    if (test.expected) continue;
    CHECK(packet.destination == frame.destination);
    CHECK(packet.payload.size() == frame.payload.size());
    CHECK(mcr::udp_checksum_holds(packet));
  }
}

TEST_CASE("each damaged IPv6 datagram has its own drop reason") {
  struct Case {
    std::string name;
    void (*change)(FrameBuilder&);
    InputDrop expected;
  };
  const std::vector<Case> cases{
      {"IPv4 in an IPv6 frame", [](FrameBuilder& f) { f.version = 4; }, InputDrop::not_ip},
      {"IPv6 in an IPv4 frame", [](FrameBuilder& f) { f.ethertype = 0x0800; }, InputDrop::not_ip},
      {"ICMPv6", [](FrameBuilder& f) { f.protocol = 58; }, InputDrop::not_udp},
      {"no next header", [](FrameBuilder& f) { f.protocol = 59; }, InputDrop::not_udp},
      {"TCP behind options",
       [](FrameBuilder& f) {
         f.extensions = {Extension::hop_by_hop()};
         f.protocol = 6;
       },
       InputDrop::not_udp},
      {"an extension header that is not there", [](FrameBuilder& f) { f.protocol = 60; },
       InputDrop::bad_length},
      {"length beyond the frame", [](FrameBuilder& f) { f.ip_length_error = 1; },
       InputDrop::truncated},
      {"length below the UDP header", [](FrameBuilder& f) { f.ip_length_error = -6; },
       InputDrop::bad_length},
      {"a jumbogram", [](FrameBuilder& f) { f.ip_length_error = -13; }, InputDrop::bad_length},
      {"UDP length beyond the packet", [](FrameBuilder& f) { f.udp_length_error = 1; },
       InputDrop::bad_length},
      {"UDP length below its header", [](FrameBuilder& f) { f.udp_length_error = -6; },
       InputDrop::bad_length},
  };
  for (const auto& test : cases) {
    INFO(test.name);
    auto frame = FrameBuilder::ipv6();
    test.change(frame);
    const auto drop = drop_of(frame);
    REQUIRE(drop);
    CHECK(*drop == test.expected);
  }
}

TEST_CASE("IPv6 demands a checksum") {
  auto frame = FrameBuilder::ipv6();
  frame.with_checksum = false;
  const auto bytes = frame.build();
  for (const std::uint8_t flags : {std::uint8_t{0}, VnetHeader::data_valid}) {
    VnetHeader vnet;
    vnet.flags = flags;
    Packet packet;
    REQUIRE_FALSE(mcr::parse_frame(bytes, vnet, 14, packet));
    CHECK_FALSE(packet.checksum_trusted);
    CHECK_FALSE(mcr::udp_checksum_holds(packet));
  }
  // This payload makes the sum right while the checksum field is 0.
  frame.payload = {0, 0};
  frame.with_checksum = true;
  auto sums_up = frame.build();
  const auto checksum = sums_up.size() - 4;
  for (std::size_t i = 0; i < 2; ++i) {
    sums_up[checksum + 2 + i] = sums_up[checksum + i];
    sums_up[checksum + i] = std::byte{0};
  }
  Packet packet;
  REQUIRE_FALSE(mcr::parse_frame(sums_up, {}, 14, packet));
  CHECK_FALSE(mcr::udp_checksum_holds(packet));
}

TEST_CASE("every cut-off frame is refused, and nothing behind its end is read") {
  auto with_extensions = FrameBuilder::ipv6();
  with_extensions.extensions = {Extension::hop_by_hop(), Extension::authentication()};
  for (const auto& frame : {FrameBuilder{}, FrameBuilder::ipv6(), with_extensions})
    for (const std::size_t link_header : {14U, 0U}) {
      auto shaped = frame;
      shaped.link_header = link_header;
      const auto whole = shaped.build();
      for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::vector<std::byte> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
        Packet packet;
        CHECK(mcr::parse_frame(cut, {}, link_header, packet));
      }
    }
}

TEST_CASE("the checksum is trusted, absent or verified") {
  FrameBuilder frame;
  frame.break_checksum = true;
  auto bytes = frame.build();
  Packet packet;
  REQUIRE_FALSE(mcr::parse_frame(bytes, {}, 14, packet));
  CHECK_FALSE(packet.checksum_trusted);
  CHECK_FALSE(mcr::udp_checksum_holds(packet));

  for (const auto flag : {VnetHeader::needs_checksum, VnetHeader::data_valid}) {
    VnetHeader vnet;
    vnet.flags = flag;
    REQUIRE_FALSE(mcr::parse_frame(bytes, vnet, 14, packet));
    CHECK(packet.checksum_trusted);
  }

  frame.with_checksum = false;
  bytes = frame.build();
  REQUIRE_FALSE(mcr::parse_frame(bytes, {}, 14, packet));
  CHECK(packet.checksum_trusted);
}

TEST_CASE("one flipped bit anywhere breaks the checksum") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    auto frame = round % 2 == 0 ? FrameBuilder{} : FrameBuilder::ipv6();
    frame.payload.resize(1 + random() % 1500);
    for (auto& byte : frame.payload)
      byte = static_cast<std::uint8_t>(random());
    auto bytes = frame.build();
    Packet packet;
    REQUIRE_FALSE(mcr::parse_frame(bytes, {}, 14, packet));
    REQUIRE(mcr::udp_checksum_holds(packet));
    const auto at = bytes.size() - 1 - random() % frame.payload.size();
    bytes[at] ^= std::byte{static_cast<std::uint8_t>(1U << random() % 8)};
    CHECK_FALSE(mcr::udp_checksum_holds(packet));
  }
}

TEST_CASE("a superframe is read as its datagrams") {
  auto frame = GENERATE(FrameBuilder{}, FrameBuilder::ipv6());
  frame.payload.resize(1000);
  const auto bytes = frame.build();
  struct Case {
    std::uint16_t segment;
    std::uint32_t expected_segment;
    std::uint32_t datagrams;
  };
  for (const auto& test : {Case{100, 100, 10}, Case{300, 300, 4}, Case{999, 999, 2},
                           Case{1000, 1000, 1}, Case{1400, 1000, 1}}) {
    Packet packet;
    REQUIRE_FALSE(mcr::parse_frame(bytes, superframe(test.segment), 14, packet));
    CHECK(packet.segment == test.expected_segment);
    CHECK(packet.datagrams == test.datagrams);
    CHECK(packet.checksum_trusted);
  }
}

TEST_CASE("absurd superframes are refused") {
  FrameBuilder frame;
  frame.payload.resize(1000);
  CHECK(drop_of(frame, superframe(0)) == InputDrop::bad_length);
  CHECK(drop_of(frame, superframe(1)) == InputDrop::bad_length);
  auto unchecked = superframe(100);
  unchecked.flags = 0;
  CHECK(drop_of(frame, unchecked) == InputDrop::bad_checksum);
  frame.payload.resize(10);
  CHECK_FALSE(drop_of(frame, superframe(65535)));
}

TEST_CASE("a refused frame counts as the datagrams it claims, within bounds") {
  CHECK(mcr::claimed_datagrams(1000, {}) == 1);
  CHECK(mcr::claimed_datagrams(1042, superframe(100)) == 10);
  CHECK(mcr::claimed_datagrams(65535, superframe(1)) == 128);
  CHECK(mcr::claimed_datagrams(0, superframe(100)) == 1);
  CHECK(mcr::claimed_datagrams(1000, superframe(0)) == 1);
}
