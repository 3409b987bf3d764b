#include "mcr/traffic/stream_judge.hpp"

#include <algorithm>

namespace mcr {

namespace {

constexpr std::uint64_t read_period_ns = 200'000'000;

void add(const stream::StreamReport& report, StreamJudge::Verdict& verdict) {
  verdict.totals.received += report.counts.received;
  verdict.totals.lost += report.counts.lost;
  verdict.totals.reordered += report.counts.reordered;
  verdict.totals.duplicated += report.counts.duplicated;
  for (const auto& source : report.sources) {
    verdict.totals.bytes += source.bytes;
    verdict.totals.corrupt += source.malformed;
    if (source.ts)
      verdict.raised = verdict.raised ||
                       std::ranges::any_of(source.ts->indicators, [](const stream::Raised& raised) {
                         return raised.count != 0;
                       });
  }
}

}  // namespace

std::optional<stream::Format> stream_format(std::string_view name) noexcept {
  using Wanted = stream::Format::Wanted;
  if (name == "auto") return stream::Format{Wanted::automatic};
  if (name == "rtp") return stream::Format{Wanted::rtp};
  if (name == "ts") return stream::Format{Wanted::ts};
  if (name == "moldudp64") return stream::Format{Wanted::moldudp64};
  return std::nullopt;
}

StreamJudge::StreamJudge(std::uint32_t groups, const stream::Format& format)
    : format_(format), inspectors_(groups), readers_(groups) {}

void StreamJudge::read(std::uint64_t now_ns) {
  if (now_ns - read_ns_ < read_period_ns) return;
  read_ns_ = now_ns;
  for (std::size_t group = 0; group < readers_.size(); ++group)
    static_cast<void>(readers_[group].read(inspectors_[group], now_ns));
}

StreamJudge::Verdict StreamJudge::verdict(std::uint64_t now_ns, double seconds) {
  Verdict verdict;
  for (std::uint32_t group = 0; group < readers_.size(); ++group) {
    const auto report = readers_[group].read(inspectors_[group], now_ns);
    add(report, verdict);
    verdict.streams.push_back(status::make_stream(report, now_ns, {}, seconds));
    if (report.sources.empty()) verdict.silent_groups.push_back(group);
  }
  return verdict;
}

}  // namespace mcr
