#include "mcr/traffic/media_writer.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/stream/report.hpp"

namespace {

using namespace mcr;

/// A stream of so many datagrams, sent at its rate, as an inspector sees it.
stream::StreamReport seen(const MediaWriter::Format& format, const std::vector<std::string>& texts,
                          std::uint64_t datagrams) {
  std::vector<Defect> defects;
  for (const auto& text : texts)
    defects.push_back(Defect::parse(text));
  const MediaWriter writer(format, Defects(defects));
  const Mapping<stream::Inspector> inspector(1);
  stream::ReportReader reader;
  stream::StreamReport report;
  std::vector<std::uint8_t> payload(writer.size());
  for (std::uint64_t n = 0; n < datagrams; ++n) {
    const auto now_ns =
        1'000'000'000 + static_cast<std::uint64_t>(static_cast<double>(n) / format.pps * 1e9);
    writer.write(payload, 0, n);
    inspector->inspect({}, {{IpAddress::v4(0x0A000001U), 5000},
                            std::as_bytes(std::span(payload)),
                            static_cast<std::uint32_t>(payload.size()),
                            1,
                            now_ns});
    if (n % 50 == 0) report = reader.read(*inspector, now_ns);
    if (n + 1 == datagrams) report = reader.read(*inspector, now_ns);
  }
  return report;
}

constexpr MediaWriter::Format ts{false, true, 0, 500};
constexpr MediaWriter::Format rtp_ts{true, true, 0, 500};
constexpr MediaWriter::Format rtp{true, false, 200, 500};

/// "1.4 3": the indicators that are raised, and how often.
std::string raised(const stream::StreamReport& report) {
  std::string text;
  const auto& source = report.sources.front();
  if (!source.ts) return text;
  for (std::size_t i = 0; i < source.ts->indicators.size(); ++i)
    if (const auto count = source.ts->indicators[i].count; count != 0)
      text += (text.empty() ? "" : ", ") + std::string(stream::indicator_names[i].number) + " " +
              std::to_string(count);
  return text;
}

}  // namespace

TEST_CASE("streams without a defect raise nothing and lose nothing") {
  const auto format = GENERATE(ts, rtp_ts, rtp);
  const auto report = seen(format, {}, 20'000);
  CHECK(report.sources.front().kind == (format.ts && format.rtp ? stream::Kind::rtp_ts
                                        : format.ts             ? stream::Kind::ts
                                                                : stream::Kind::rtp));
  CHECK(raised(report).empty());
  CHECK(report.counts.lost + report.counts.reordered + report.counts.duplicated == 0);
  CHECK(report.counts.received == 20'000);
  if (!format.ts) return;
  const auto& found = *report.sources.front().ts;
  CHECK(found.packets >= 139'993);  // RTP is recognised by its second datagram
  REQUIRE(found.programs.size() == 1);
  CHECK(found.programs.front().streams.size() == 2);
  CHECK(found.pids.size() == 5);
}

TEST_CASE("each defect is seen as often as it was asked for") {
  struct Case {
    std::string defect;
    std::string raised;
  };
  // 20,000 datagrams in 40 s. A PAT comes each 0.1 s.
  const auto one = GENERATE(values<Case>({
      {"cc:256:every=1000", "1.4 99"},
      {"cc:257:every=1000", "1.4 19"},
      {"tei:257:every=1000", "2.1 20"},
      {"sync:every=1000", "1.2 20"},
      {"sync-loss:every=1000", "1.1 20, 1.2 40"},
      {"crc:every=100", "2.2 4"},
      {"pcr-step:every=5000", "2.3b 3"},
      {"no-pat", "1.3.a 79"},
  }));
  CAPTURE(one.defect);
  CHECK(raised(seen(ts, {one.defect}, 20'000)) == one.raised);
}

TEST_CASE("defects that last are seen for as long") {
  CHECK(raised(seen(ts, {"no-pmt"}, 5000)).substr(0, 6) == "1.5.a ");
  CHECK(raised(seen(ts, {"pts-gap"}, 5000)).substr(0, 4) == "2.5 ");
  CHECK(raised(seen(ts, {"scrambled:257"}, 20'000)).substr(0, 4) == "2.6 ");
  const auto gaps = raised(seen(ts, {"pcr-gap"}, 5000));
  CHECK(gaps.substr(0, 5) == "2.3a ");
  CHECK(gaps.find(", 2.3b ") != std::string::npos);
}

TEST_CASE("datagrams are lost, swapped, sent twice and numbered anew") {
  auto counts = seen(rtp, {"loss:every=100"}, 9900).counts;
  CHECK(counts.lost == 99);
  counts = seen(rtp, {"swap:every=100"}, 10'000).counts;
  CHECK(counts.reordered == 100);
  CHECK(counts.lost == 0);
  counts = seen(rtp, {"dup:every=100"}, 10'000).counts;
  CHECK(counts.duplicated == 100);
  CHECK(counts.lost == 0);
  counts = seen(rtp, {"restart:every=1000"}, 10'000).counts;
  CHECK(counts.restarts == 9);
  CHECK(counts.lost == 0);
  counts = seen(rtp, {"loss:every=100", "swap:every=70", "dup:every=50"}, 99'000).counts;
  CHECK(counts.lost == 979);  // the last gap has no end yet
  CHECK(counts.reordered == 1386);
  CHECK(counts.duplicated == 1980);
}

TEST_CASE("a defect that is not understood is refused") {
  for (const auto* text : {"", "nothing", "cc", "cc:9000", "cc:x", "loss:every=2", "loss:100",
                           "no-pat:every=5", "cc:256:every=x", "loss:every=100:5"})
    CHECK_THROWS_AS(Defect::parse(text), Failure);
}
