#include "mcr/stream/rtp.hpp"

#include "catch.hpp"
#include "ts_builder.hpp"

namespace {

using namespace mcr::stream;
using mcr::test::Bytes;

constexpr std::uint64_t ms = 1'000'000;

/// A datagram each 20 ms, `ticks` apart; `late(i)`: ns behind its time.
template <typename Late>
void send(RtpClock& clock, std::uint32_t datagrams, std::uint8_t type, std::uint32_t ticks,
          Late late) {
  for (std::uint32_t i = 0; i < datagrams; ++i)
    clock.see(0xFFFF0000U + i * ticks, type, std::uint64_t{i} * 20 * ms + 1000 * ms + late(i));
}

}  // namespace

TEST_CASE("an RTP header is read, with what may stand behind it") {
  const Bytes payload(100, std::byte{0x47});
  auto bytes = mcr::test::rtp(0xFFFE, 0x01020304, 0xA1B2C3D4, payload);
  auto header = read_rtp(bytes);
  REQUIRE(header);
  CHECK(header->ssrc == 0xA1B2C3D4);
  CHECK(header->timestamp == 0x01020304);
  CHECK(header->sequence == 0xFFFE);
  CHECK(header->payload_type == 33);
  CHECK(header->payload.size() == 100);

  SECTION("two contributing sources and an extension of one word") {
    bytes[0] = std::byte{0x92};
    const Bytes more(8 + 4 + 4, std::byte{0});
    bytes.insert(bytes.begin() + 12, more.begin(), more.end());
    bytes[12 + 8 + 3] = std::byte{1};
    header = read_rtp(bytes);
    REQUIRE(header);
    CHECK(header->payload.size() == 100);
    CHECK(header->payload.front() == std::byte{0x47});
  }
  SECTION("padding") {
    bytes[0] = std::byte{0xA0};
    bytes.back() = std::byte{10};
    header = read_rtp(bytes);
    REQUIRE(header);
    CHECK(header->payload.size() == 90);
  }
  SECTION("what claims more than there is, is no RTP") {
    bytes[0] = std::byte{0xA0};
    bytes.back() = std::byte{200};
    CHECK_FALSE(read_rtp(bytes));
    bytes[0] = std::byte{0x90};
    bytes[14] = bytes[15] = std::byte{0xFF};
    CHECK_FALSE(read_rtp(bytes));
    CHECK_FALSE(read_rtp(std::span(bytes).first(11)));
  }
  SECTION("RTCP and other versions are no RTP") {
    bytes[1] = std::byte{200};
    CHECK_FALSE(read_rtp(bytes));
    bytes[1] = std::byte{33};
    bytes[0] = std::byte{0x47};
    CHECK_FALSE(read_rtp(bytes));
  }
}

TEST_CASE("a steady stream has no jitter, over a wrap of its timestamps") {
  RtpClock clock{};
  send(clock, 200, RtpHeader::mpeg_ts, 1800, [](auto) { return std::uint64_t{0}; });
  CHECK(clock.hertz() == 90'000);
  CHECK(clock.jitter_ns() < 100);
  CHECK(clock.delay_factor_ns() < 10'000);
}

TEST_CASE("jitter goes to the mean difference, the delay factor is the range") {
  // Every other datagram is 2 ms late: |D| is 2 ms each time.
  RtpClock clock{};
  send(clock, 400, RtpHeader::mpeg_ts, 1800, [](auto i) { return i % 2 * 2 * ms; });
  CHECK(clock.jitter_ns() > 1'990'000);
  CHECK(clock.jitter_ns() <= 2'000'000);
  CHECK(clock.delay_factor_ns() > 1'990'000);
  CHECK(clock.delay_factor_ns() < 2'010'000);
}

TEST_CASE("a clock without a fixed rate is learned within two seconds") {
  struct Case {
    std::uint32_t ticks;
    std::uint64_t hertz;
  };
  const auto one = GENERATE(values<Case>({{960, 48'000}, {1800, 90'000}, {160, 8'000}, {0, 0}}));
  RtpClock clock{};
  send(clock, 100, 96, one.ticks, [](auto) { return std::uint64_t{0}; });
  CHECK(clock.hertz() == one.hertz);
}

TEST_CASE("a jump of the timestamps is no jitter") {
  RtpClock clock{};
  send(clock, 100, RtpHeader::mpeg_ts, 1800, [](auto) { return std::uint64_t{0}; });
  clock.see(0x50000000, RtpHeader::mpeg_ts, 3020 * ms);
  clock.see(0x50000000 + 1800, RtpHeader::mpeg_ts, 3040 * ms);
  CHECK(clock.jitter_ns() < 100);
}
