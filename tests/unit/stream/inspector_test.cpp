#include "mcr/stream/inspector.hpp"

#include "catch.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/stream/report.hpp"
#include "ts_builder.hpp"

namespace {

using namespace mcr;
using namespace mcr::stream;
using mcr::test::Bytes;

constexpr std::uint64_t ms = 1'000'000;

struct World {
  Mapping<Inspector> memory{1};
  Inspector& inspector = *memory;
  ReportReader reader;
  Format format;
  std::uint64_t now_ns = 1000 * ms;

  void send(const Bytes& datagram, std::uint32_t host = 1, std::uint16_t port = 5000) {
    now_ns += ms;
    inspector.inspect(format, {{IpAddress::v4(0x0A000000U + host), port},
                               datagram,
                               static_cast<std::uint32_t>(datagram.size()),
                               1,
                               now_ns});
  }
  void send_rtp(std::uint16_t first, std::uint16_t count, std::uint32_t ssrc = 7,
                std::uint32_t host = 1) {
    for (std::uint16_t i = 0; i < count; ++i) {
      const auto number = static_cast<std::uint16_t>(first + i);
      send(test::rtp(number, number * 90U, ssrc, Bytes(100, std::byte{0x11})), host);
    }
  }
  StreamReport report() { return reader.read(inspector, now_ns); }
};

Bytes ts(std::uint8_t first_continuity, std::uint16_t pid = 0x100) {
  Bytes bytes;
  for (std::uint8_t i = 0; i < 7; ++i) {
    test::TsPacket packet{pid};
    packet.continuity = static_cast<std::uint8_t>((first_continuity + i) & 0xFU);
    test::append(bytes, packet.build());
  }
  return bytes;
}

}  // namespace

TEST_CASE("RTP is recognised and its first datagram counts") {
  World world;
  world.send_rtp(65'000, 100);
  world.send_rtp(65'105, 900);  // five lost, and a wrap
  const auto report = world.report();
  REQUIRE(report.sources.size() == 1);
  const auto& source = report.sources.front();
  CHECK(source.kind == Kind::rtp);
  CHECK(source.id == 7);
  CHECK(source.counts.received == 1000);
  CHECK(source.counts.lost == 5);
  CHECK(source.bytes == 112'000);
  CHECK_FALSE(source.coarse);
}

TEST_CASE("two senders in one group are told apart") {
  World world;
  for (std::uint16_t i = 0; i < 50; ++i) {
    world.send_rtp(i, 1, 7, 1);
    world.send_rtp(static_cast<std::uint16_t>(30'000 + 2 * i), 1, 8, 2);  // loses every other
  }
  const auto report = world.report();
  REQUIRE(report.sources.size() == 2);
  CHECK(report.sources[0].endpoint.address == IpAddress::v4(0x0A000002U));
  CHECK(report.sources[0].counts.lost == 49);
  CHECK(report.sources[1].counts.lost == 0);
  CHECK(report.counts.lost == 49);
  CHECK(report.counts.restarts == 0);
}

TEST_CASE("a new SSRC is a restart, and two that alternate are exact") {
  World world;
  world.send_rtp(100, 50, 7);
  world.send_rtp(40'000, 50, 8);
  auto report = world.report();
  CHECK(report.counts.restarts == 1);
  CHECK(report.counts.lost == 0);
  for (std::uint16_t i = 0; i < 50; ++i) {
    world.send_rtp(static_cast<std::uint16_t>(150 + i), 1, 7);
    world.send_rtp(static_cast<std::uint16_t>(40'050 + i), 1, 8);
  }
  report = world.report();
  CHECK(report.counts.restarts == 1);
  CHECK(report.counts.lost == 0);
  CHECK(report.counts.received == 200);
}

TEST_CASE("a sender that starts again is a restart, not a loss") {
  World world;
  world.send_rtp(100, 50);
  world.send_rtp(50'000, 50);
  CHECK(world.report().counts.restarts == 1);
  CHECK(world.report().counts.lost == 0);
}

TEST_CASE("sources beyond the eighth make room and keep their counts in the sum") {
  World world;
  for (std::uint32_t host = 1; host <= 20; ++host) {
    world.send_rtp(0, 10, host, host);
    world.send_rtp(12, 10, host, host);
  }
  const auto report = world.report();
  CHECK(report.sources.size() == Inspector::max_sources);
  CHECK(report.counts.received == 400);
  CHECK(report.counts.lost == 40);
}

TEST_CASE("a superframe counts its datagrams and marks the times as coarse") {
  World world;
  world.send_rtp(0, 2);
  Bytes superframe;
  for (std::uint16_t i = 2; i < 42; ++i)
    if (i != 20) test::append(superframe, test::rtp(i, 0, 7, Bytes(100, std::byte{0x11})));
  world.now_ns += ms;
  world.inspector.inspect(world.format,
                          {{IpAddress::v4(0x0A000001U), 5000}, superframe, 112, 39, world.now_ns});
  const auto report = world.report();
  CHECK(report.counts.received == 41);
  CHECK(report.counts.lost == 1);
  CHECK(report.sources.front().coarse);
}

TEST_CASE("MPEG-TS is inspected, bare and in RTP") {
  World world;
  const bool in_rtp = GENERATE(false, true);
  for (std::uint16_t i = 0; i < 100; ++i) {
    if (i == 50) continue;
    const auto packets = ts(static_cast<std::uint8_t>(i * 7U & 0xFU));
    world.send(in_rtp ? test::rtp(i, i * 90U, 7, packets) : packets);
  }
  const auto report = world.report();
  REQUIRE(report.sources.size() == 1);
  CHECK(report.sources.front().kind == (in_rtp ? Kind::rtp_ts : Kind::ts));
  CHECK(report.counts.lost == (in_rtp ? 1 : 0));
  REQUIRE(report.sources.front().ts);
  CHECK(report.sources.front().ts->of(Indicator::continuity).count == 1);
  CHECK(report.cc_errors == 1);
}

TEST_CASE("MoldUDP64 counts messages, and a new session is a restart") {
  World world;
  for (std::uint64_t i = 0; i < 10; ++i)
    world.send(test::mold("SESSION001", 1 + 4 * i, 3));  // each fourth is missing
  CHECK(world.report().counts.lost == 9);
  world.send(test::mold("SESSION001", 41, 0));  // 40 is missing
  CHECK(world.report().counts.lost == 10);
  world.send(test::mold("SESSION002", 1, 3));
  CHECK(world.report().counts.lost == 10);
  CHECK(world.report().counts.restarts == 1);
}

TEST_CASE("any numbered feed is followed by its field") {
  World world;
  world.format = {Format::Wanted::sequence, {2, 4, true, 0, 2}};
  std::uint32_t number = 0xFFFFFFF0;
  for (int i = 0; i < 20; ++i, number += i == 10 ? 8U : 4U) {
    Bytes datagram{std::byte{4}, std::byte{0}};  // takes four
    for (unsigned byte = 0; byte < 4; ++byte)
      datagram.push_back(static_cast<std::byte>(number >> (8 * byte)));
    world.send(datagram);
  }
  world.send(Bytes(5, std::byte{0}));
  const auto report = world.report();
  CHECK(report.counts.lost == 4);
  CHECK(report.counts.received == 21);
  CHECK(report.sources.front().malformed == 1);
}

TEST_CASE("an asked format is taken at its word") {
  World world;
  SECTION("rtp") {
    world.format.wanted = Format::Wanted::rtp;
    world.send_rtp(5, 1);
    CHECK(world.report().sources.front().kind == Kind::rtp);
  }
  SECTION("ts in RTP") {
    world.format.wanted = Format::Wanted::ts;
    world.send(test::rtp(1, 0, 7, ts(0)));
    CHECK(world.report().sources.front().kind == Kind::rtp_ts);
  }
  SECTION("ts") {
    world.format.wanted = Format::Wanted::ts;
    world.send(ts(0));
    CHECK(world.report().sources.front().kind == Kind::ts);
  }
}

TEST_CASE("a stream that becomes something else is recognised again") {
  World world;
  world.send_rtp(0, 50);
  for (std::uint8_t i = 0; i < 50; ++i)
    world.send(ts(static_cast<std::uint8_t>(i * 7U & 0xFU)));
  CHECK(world.report().sources.front().kind == Kind::ts);
}
