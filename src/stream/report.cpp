// A source may make room for another while it is read. Its generation tells: it is odd meanwhile,
// and another one afterwards; then what was read is thrown away.
#include "mcr/stream/report.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>

namespace mcr::stream {

namespace {

/// For so long after a superframe, times count as coarse.
constexpr std::uint64_t coarse_for_ns = 10'000'000'000;

std::vector<PidReport> read_pids(const TsTracker& tracker, const PsiReader& tables) {
  std::vector<PidReport> pids;
  for (const auto& record : tracker.pids())
    if (record.packets.get() != 0)
      pids.push_back({record.pid, tables.kind_of(record.pid), record.packets.get(),
                      record.cc_errors.get(), record.scrambled.get(), record.last_ns.get()});
  if (tracker.null_packets() != 0)
    pids.push_back({null_pid, tables.kind_of(null_pid), tracker.null_packets(), 0, 0, 0});
  std::ranges::sort(pids, {}, &PidReport::pid);
  return pids;
}

std::uint64_t table_ns(const TsTracker& tracker, std::uint16_t pid) noexcept {
  const auto* record = tracker.find(pid);
  return record == nullptr ? 0 : record->unit_ns.get();
}

TsReport read_ts(TsTracker& tracker, const PsiReader& tables) {
  TsReport report;
  report.packets = tracker.packets();
  report.packet_bytes = tracker.packet_bytes();
  report.null_packets = tracker.null_packets();
  report.scrambled = tracker.scrambled();
  report.untracked = tracker.untracked();
  report.psi_missed = tracker.mailbox().missed();
  report.pcr_gap_max_ns = tracker.pcr_gap_max_ns();
  report.pat_version = tables.pat_version();
  report.version_changes = tables.version_changes();
  for (std::size_t i = 0; i < indicator_names.size(); ++i) {
    const auto& seen = tracker.indicators()[static_cast<Indicator>(i)];
    report.indicators[i] = {seen.count.get(), seen.last_ns.get()};
  }
  report.indicators[static_cast<std::size_t>(Indicator::crc)] = tables.crc_errors();
  report.pids = read_pids(tracker, tables);
  report.programs = tables.programs();
  report.pat_ns = table_ns(tracker, pat_pid);
  for (const auto& program : report.programs) {
    const auto ns = table_ns(tracker, program.pmt_pid);
    if (&program == &report.programs.front() || ns < report.pmt_ns) report.pmt_ns = ns;
  }
  return report;
}

}  // namespace

void SequenceCounts::add(const SequenceCounts& other) noexcept {
  received += other.received;
  lost += other.lost;
  reordered += other.reordered;
  duplicated += other.duplicated;
  restarts += other.restarts;
}

void StreamReport::add(StreamReport other) {
  counts.add(other.counts);
  cc_errors += other.cc_errors;
  std::ranges::move(other.sources, std::back_inserter(sources));
  std::ranges::stable_sort(sources, std::ranges::greater(), &SourceReport::last_ns);
}

std::optional<SourceReport> ReportReader::read(Source& source, Tables& tables,
                                               std::uint64_t now_ns) {
  const auto generation = source.generation.get_last();
  if (generation % 2 != 0) return {};
  if (generation != tables.generation) {
    if (tables.generation != 0) PsiReader::discard(source.ts);
    tables.generation = generation;
    tables.reader = {};
  }
  SourceReport report;
  report.endpoint = source.shown.get();
  report.id = static_cast<std::uint32_t>(source.id.get());
  report.kind = static_cast<Kind>(source.kind.get());
  report.counts = {source.received.get(), source.sequence.lost(), source.sequence.reordered(),
                   source.sequence.duplicated(), source.sequence.restarts()};
  report.bytes = source.bytes.get();
  report.malformed = source.malformed.get();
  report.first_ns = source.first_ns.get();
  report.last_ns = source.last_ns.get();
  report.clock_hz = source.clock.hertz();
  report.jitter_ns = source.clock.jitter_ns();
  report.delay_factor_ns = source.clock.delay_factor_ns();
  const auto coarse_ns = source.coarse_ns.get();
  report.coarse = coarse_ns != 0 && now_ns - std::min(now_ns, coarse_ns) < coarse_for_ns;
  if (has_ts(report.kind)) {
    tables.reader.read(source.ts, now_ns);
    report.ts = read_ts(source.ts, tables.reader);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (source.generation.get() != generation) return {};
  return report;
}

StreamReport ReportReader::read(Inspector& inspector, std::uint64_t now_ns) {
  StreamReport report;
  const auto& past = inspector.past();
  report.counts = {past.received.get(), past.lost.get(), past.reordered.get(),
                   past.duplicated.get(), past.restarts.get()};
  report.cc_errors = past.cc_errors.get();
  for (std::size_t i = 0; i < Inspector::max_sources; ++i) {
    if (inspector.sources()[i].generation.get() == 0) break;  // places are taken one by one
    auto source = read(inspector.sources()[i], tables_[i], now_ns);
    if (!source) continue;
    report.counts.add(source->counts);
    if (source->ts) report.cc_errors += source->ts->of(Indicator::continuity).count;
    report.sources.push_back(std::move(*source));
  }
  std::ranges::stable_sort(report.sources, std::ranges::greater(), &SourceReport::last_ns);
  return report;
}

}  // namespace mcr::stream
