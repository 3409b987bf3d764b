// Inspection finds nothing in a stream without a fault, for however long, at whatever rate, and
// over the wrap of every number in it. The clock is forged.
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/stream/report.hpp"
#include "mcr/traffic/media_writer.hpp"

namespace {

using namespace mcr;

constexpr std::uint64_t second = 1'000'000'000;

/// Datagrams `first` and so on of a stream, each when its rate has it come. The tables are read
/// once a second, as the relay does.
stream::StreamReport heard(const MediaWriter::Format& format, std::uint64_t first,
                           std::uint64_t datagrams) {
  const MediaWriter writer(format, {});
  const Mapping<stream::Inspector> inspector(1);
  stream::ReportReader reader;
  std::vector<std::uint8_t> payload(writer.size());
  std::uint64_t now_ns = second;
  std::uint64_t read_ns = 0;
  for (std::uint64_t n = 0; n < datagrams; ++n) {
    now_ns = second +
             static_cast<std::uint64_t>(std::llround(static_cast<double>(n) * 1e9 / format.pps));
    writer.write(payload, 0, first + n);
    inspector->inspect({}, {{IpAddress::v4(0x0A000001U), 5000},
                            std::as_bytes(std::span(payload)),
                            static_cast<std::uint32_t>(payload.size()),
                            1,
                            now_ns});
    if (now_ns - read_ns < second) continue;
    static_cast<void>(reader.read(*inspector, now_ns));
    read_ns = now_ns;
  }
  return reader.read(*inspector, now_ns);
}

void check_clean(const stream::StreamReport& report, std::uint64_t datagrams) {
  REQUIRE(report.sources.size() == 1);
  CHECK(report.counts.received == datagrams);
  CHECK(report.counts.lost == 0);
  CHECK(report.counts.reordered == 0);
  CHECK(report.counts.duplicated == 0);
  CHECK(report.counts.restarts == 0);
  const auto& source = report.sources.front();
  CHECK(source.malformed == 0);
  CHECK(source.jitter_ns < 12'000);  // one tick of 90 kHz
  if (!source.ts) return;
  for (std::size_t i = 0; i < stream::indicator_names.size(); ++i) {
    INFO(stream::indicator_names[i].number);
    CHECK(source.ts->indicators[i].count == 0);
  }
}

}  // namespace

TEST_CASE("an hour of a clean stream raises nothing, and everything in it wraps") {
  constexpr double pps = 50;
  constexpr double wrap_s =
      (std::uint64_t{1} << 33U) / 90'000.0;  // PCR, PTS; RTP's has wrapped, too
  constexpr auto first = static_cast<std::uint64_t>((wrap_s - 1800) * pps);
  constexpr std::uint64_t datagrams = 3600 * 50;  // two wraps of the sequence number
  const auto report = heard({true, true, 0, pps}, first, datagrams);
  check_clean(report, datagrams);
  CHECK(report.sources.front().kind == stream::Kind::rtp_ts);
  CHECK(report.sources.front().delay_factor_ns < 24'000);
  CHECK(report.sources.front().ts->pcr_gap_max_ns <= 21'000'000);
}

TEST_CASE("a clean stream raises nothing at any rate from 1/s to 1,000,000/s") {
  const double pps = GENERATE(1, 25, 1'000, 40'000, 1'000'000);
  const bool in_rtp = GENERATE(false, true);
  CAPTURE(pps, in_rtp);
  const std::uint64_t datagrams = pps < 100 ? 120 : 30'000;
  const auto report = heard({in_rtp, true, 0, pps}, 0, datagrams);
  check_clean(report, datagrams);
  CHECK(report.sources.front().kind == (in_rtp ? stream::Kind::rtp_ts : stream::Kind::ts));
}

TEST_CASE("RTP without MPEG-TS loses nothing at any rate") {
  const double pps = GENERATE(1, 50, 1'000, 1'000'000);
  CAPTURE(pps);
  const std::uint64_t datagrams = pps < 100 ? 300 : 70'000;
  check_clean(heard({true, false, 100, pps}, 65'000, datagrams), datagrams);
}
