// The page of `mcr inspect`, in the order in which an operator asks: is all of it there, in order
// and in time, is the MPEG-TS sound, what is in it. Each part is a function.
#include "mcr/status/text_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t most_pids = 24;

void keep(std::deque<double>& values, double value) {
  values.push_back(value);
  if (values.size() > StreamHistory::looks) values.pop_front();
}

/// "412 us", "1.3 ms"; "-" where it is not known.
std::string time_text(const std::optional<double>& us) {
  if (!us) return "-";
  return *us < 1000 ? fmt::format("{:.0f} us", *us) : fmt::format("{:.1f} ms", *us / 1000);
}

std::string age_text(const std::optional<double>& ms) {
  return ms ? fmt::format("{:.0f} ms ago", *ms) : "never";
}

std::string numbers_part(const Stream& stream) {
  if (stream.kind == "ts" || stream.kind == "unknown")
    return fmt::format("  received {} datagrams; they bear no numbers\n", grouped(stream.received));
  return fmt::format("  received {}   lost {}   reordered {}   duplicated {}   restarts {}\n",
                     grouped(stream.received), grouped(stream.lost), grouped(stream.reordered),
                     grouped(stream.duplicated), grouped(stream.restarts));
}

std::string row(std::string_view what, const std::string& value, const std::deque<double>* values) {
  const auto bars = values == nullptr ? std::string() : sparkline(*values);
  return fmt::format("  {:<13}{:>10}   {}", what, value, bars) + '\n';
}

std::string times_part(const Stream& stream, const StreamHistory* history) {
  std::string result;
  if (history != nullptr)
    result += row("lost", grouped(Count(static_cast<std::uint64_t>(history->lost().back()))),
                  &history->lost());
  if (!stream.jitter_us) return result;
  result += row("jitter", time_text(stream.jitter_us), history ? &history->jitter() : nullptr);
  result += row("delay factor", time_text(stream.delay_factor_us),
                history ? &history->delay_factor() : nullptr);
  if (stream.timing == "coarse")
    result += "  Datagrams come several at once: these times are of bursts.\n";
  return result;
}

std::string indicators_part(const StreamTs& ts) {
  TextTable table({{"TR 101 290"}, {""}, {"COUNT", true}, {"LAST", true}});
  for (const auto& one : ts.indicators)
    table.add({{(one.count != 0 ? "! " : "  ") + printable(one.number), printable(one.name),
                grouped(one.count), one.age_s ? duration(*one.age_s) + " ago" : "-"},
               {}});
  return table.str(columns);
}

std::string pids_part(const StreamTs& ts) {
  TextTable table(
      {{"PID", true}, {"KIND"}, {"PACKETS", true}, {"CC ERRORS", true}, {"BIT/S", true}});
  for (std::size_t i = 0; i < std::min(most_pids, ts.pids.size()); ++i) {
    const auto& pid = ts.pids[i];
    table.add({{fmt::format("{}", pid.pid), shown(pid.kind), grouped(pid.packets),
                grouped(pid.cc_errors), si(pid.bps)},
               {}});
  }
  auto result = table.str(columns);
  if (ts.pids.size() > most_pids)
    result += fmt::format("  and {} more PIDs\n", ts.pids.size() - most_pids);
  return result;
}

std::string ts_part(const StreamTs& ts) {
  const auto nulls = ts.packets == 0 ? 0.0
                                     : 100.0 * static_cast<double>(ts.null_packets) /
                                           static_cast<double>(ts.packets);
  const auto missed =
      ts.psi_missed == 0
          ? std::string()
          : fmt::format("  ! {} packets with tables were not read: they came too fast\n",
                        grouped(ts.psi_missed));
  return fmt::format("  {} bit/s in {} TS packets, {:.1f} % of them null, {} scrambled\n",
                     si(ts.bitrate_bps), grouped(ts.packets), nulls, grouped(ts.scrambled)) +
         missed +
         fmt::format("  PAT {}, PMT {}, largest gap of PCRs {:.0f} ms\n\n", age_text(ts.pat_age_ms),
                     age_text(ts.pmt_age_ms), ts.pcr_gap_ms_max) +
         indicators_part(ts) + '\n' + pids_part(ts);
}

}  // namespace

void StreamHistory::add(const Stream& stream) {
  const auto more = stream.lost - std::min(lost_then_, stream.lost);
  keep(lost_, started_ ? static_cast<double>(more) : 0);
  started_ = true;
  lost_then_ = stream.lost;
  keep(jitter_, stream.jitter_us.value_or(0));
  keep(delay_factor_, stream.delay_factor_us.value_or(0));
}

std::string sparkline(const std::deque<double>& values) {
  constexpr std::array bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto most = values.empty() ? 0 : *std::ranges::max_element(values);
  std::string result;
  for (const auto value : values) {
    const auto share = most > 0 ? value / most : 0;
    result += bars[static_cast<std::size_t>(std::lround(share * (bars.size() - 1)))];
  }
  return result;
}

std::string stream_line(const Stream& stream) {
  auto result =
      fmt::format("stream {} from {}", shown(stream.kind), plural(stream.sources, "source"));
  if (stream.kind != "ts" && stream.kind != "unknown")
    result += fmt::format(": lost {}, reordered {}, duplicated {}", grouped(stream.lost),
                          grouped(stream.reordered), grouped(stream.duplicated));
  if (stream.ts) result += fmt::format("; {} TS continuity errors", grouped(stream.ts->cc_errors));
  return result;
}

std::string render_streams(const Rule& rule, const std::vector<StreamHistory>& histories) {
  auto result = fmt::format("rule {}: {}", shown(rule.name), shown(rule.state)) + '\n';
  bool inspected = false;
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    if (i >= rule.streams.size() || !rule.streams[i]) continue;
    inspected = true;
    const auto& stream = *rule.streams[i];
    const auto* history =
        i < histories.size() && !histories[i].lost().empty() ? &histories[i] : nullptr;
    result += wrapped("\n",
                      fmt::format("{}: {} from {}", place(rule.inputs[i]), shown(stream.kind),
                                  plural(stream.sources, "source")),
                      columns);
    if (stream.sources > 1) result += "  ! More than one sender: a stream of its own each.\n";
    result += numbers_part(stream) + times_part(stream, history);
    if (stream.ts) result += ts_part(*stream.ts);
  }
  if (inspected && rule.latency && rule.latency->samples() != 0)
    result += fmt::format("\nRelayed within {} us (half of {} samples), {} us (99 %)\n",
                          rule.latency->quantile_ns(0.5) / 1000, grouped(rule.latency->samples()),
                          rule.latency->quantile_ns(0.99) / 1000);
  if (!inspected)
    result += "\nNothing is inspected: the rule has no `inspect`, or it has just begun.\n";
  return result;
}

}  // namespace mcr::status
