// The stream of an input: its value, its JSON, its page.
#include "mcr/status/stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/status/text_stream.hpp"

namespace {

using namespace mcr;
using status::make_stream;
using status::Stream;
using status::stream_from_json;

constexpr std::uint64_t second = 1'000'000'000;

stream::StreamReport report(std::uint64_t packets) {
  stream::SourceReport source;
  source.endpoint = {IpAddress::v4(0x0A000001U), 5000};
  source.id = 7;
  source.kind = stream::Kind::rtp_ts;
  source.counts = {packets / 7, 3, 2, 1, 0};
  source.first_ns = second;
  source.last_ns = 10 * second;
  source.clock_hz = 90'000;
  source.jitter_ns = 412'000;
  source.delay_factor_ns = 1'300'000;
  source.ts.emplace();
  source.ts->packets = packets;
  source.ts->null_packets = packets / 7;
  source.ts->pat_ns = 10 * second - 50'000'000;
  source.ts->pids = {{0, "PAT", 100, 0, 0, 0}, {256, "H.264", packets, 4, 0, 0}};
  source.ts->indicators[static_cast<std::size_t>(stream::Indicator::continuity)] = {4, 8 * second};
  stream::StreamReport whole;
  whole.counts = source.counts;
  whole.sources.push_back(source);
  return whole;
}

Stream made() {
  return make_stream(report(14'000), 10 * second, report(7'000), 2);
}

}  // namespace

TEST_CASE("a stream's rates are of the time between two reports") {
  const auto stream = made();
  CHECK(stream.kind == "rtp+ts");
  CHECK(stream.lost == 3);
  CHECK(stream.jitter_us == 412.0);
  REQUIRE(stream.ts);
  CHECK(stream.ts->bitrate_bps == 3'500 * 188 * 8.0);
  CHECK(stream.ts->pids[1].bps == 3'500 * 188 * 8.0);
  CHECK(stream.ts->cc_errors == 4);
  CHECK(stream.ts->pat_age_ms == 50.0);
  CHECK_FALSE(stream.ts->pmt_age_ms);
  CHECK(stream.ts->indicators[3].age_s == 2.0);
}

TEST_CASE("a stream's counts are those of all its senders, whichever was heard last") {
  auto of_both = report(14'000);
  auto other = of_both.sources.front();
  other.endpoint.port = 5001;
  other.ts->packets = 70;
  other.ts->indicators[static_cast<std::size_t>(stream::Indicator::continuity)] = {5, 9 * second};
  of_both.sources.push_back(other);
  for (int i = 0; i < 2; ++i) {
    const auto both = make_stream(of_both, 10 * second, {}, 2);
    REQUIRE(both.ts);
    CHECK(both.ts->packets == 14'070);
    CHECK(both.ts->cc_errors == 9);
    CHECK(both.ts->indicators[3].count == 9);
    CHECK(both.ts->indicators[3].age_s == 1.0);
    std::swap(of_both.sources[0], of_both.sources[1]);
  }
}

TEST_CASE("a stream is read from JSON as it was written") {
  const auto stream = made();
  CHECK(stream_from_json(status::to_json(stream)) == stream);
  CHECK(stream_from_json(status::to_json(Stream{})) == Stream{});
  CHECK_FALSE(stream_from_json(nullptr));
  CHECK(stream_from_json({{"lost", "many"}, {"ts", 5}})->lost == 0);
}

TEST_CASE("the page of a stream fits 80 columns and shows what is wrong") {
  status::Rule rule;
  rule.name = "studio-a";
  rule.inputs.push_back({.interface = "eth0",
                         .destination = IpAddress::v4(0xEF010101U),
                         .port = 5000,
                         .sources = {}});
  rule.streams.push_back(made());
  status::StreamHistory history;
  for (int i = 0; i < 100; ++i)
    history.add(*rule.streams[0]);
  const auto page = status::render_streams(rule, {history});
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(text_width(line) <= 80);
  }
  for (const auto* part : {"studio-a", "239.1.1.1:5000 on eth0", "lost 3", "412 us", "H.264",
                           "! 1.4", "Continuity_count_error", "PAT 50 ms ago", "PMT never"})
    CHECK(page.find(part) != std::string::npos);
  rule.streams.clear();
  CHECK(status::render_streams(rule, {}).find("no `inspect`") != std::string::npos);
}

TEST_CASE("a sparkline's highest bar is the largest value") {
  CHECK(status::sparkline({0, 0}) == "▁▁");
  CHECK(status::sparkline({0, 7, 3.5}) == "▁█▅");
  CHECK(status::sparkline({}).empty());
}
