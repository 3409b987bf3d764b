// The page of `mcr status --watch` is a function of two Status values, a second or so apart, and
// the size of the screen: the rates come from their difference. Rules that drop come first, then
// those that do not run, then the busiest; what does not fit on the screen is summed up in the last
// line.
#include "mcr/status/text_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <tuple>
#include <unordered_map>

#include "mcr/base/printable.hpp"
#include "mcr/status/text.hpp"
#include "mcr/status/text_stream.hpp"
#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {
namespace {

constexpr std::size_t default_columns = 80;
constexpr std::size_t fewest_columns = 40;
constexpr std::size_t fewest_rules = 3;  // shown on the smallest screen

/// Counters that status gives as totals; the rates between two of them.
struct Tally {
  std::uint64_t sent = 0;
  std::map<std::string, std::uint64_t> drops;
};

void add_drops(Tally& tally, const auto& drops) {
  for (const auto& [reason, datagrams] : unusual(nonzero(drops)))
    tally.drops[reason] += datagrams;
}

Tally tally_of(const Rule& rule) {
  Tally tally;
  add_drops(tally, rule.drops);
  for (const auto& output : rule.outputs) {
    tally.sent += output.tx_datagrams.value_or(0);
    add_drops(tally, output.drops);
  }
  return tally;
}

double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return seconds > 0 && now > before ? static_cast<double>(now - before) / seconds : 0;
}

struct RuleLine {
  std::string rule;
  std::string name;  ///< of the rule, as it is shown
  std::string state;
  Paint paint = Paint::none;  ///< of the state
  bool running = false;
  double pps = 0;
  double bps = 0;
  double sent = 0;   ///< a second
  double drops = 0;  ///< a second
  std::string note;
};

/// The reason of what drops now with its rate, else why it does not run, else what has dropped.
std::string note_of(const Rule& rule, const Tally& before, const Tally& now, double seconds) {
  std::string dropping;
  std::string dropped;
  for (const auto& [reason, datagrams] : now.drops) {
    const auto known = before.drops.find(reason);
    const auto since = rate(known == before.drops.end() ? 0 : known->second, datagrams, seconds);
    if (since > 0)
      dropping += fmt::format("{}{} {}/s", dropping.empty() ? "" : ", ", reason, si(since));
    dropped += fmt::format("{}{} {}", dropped.empty() ? "" : ", ", reason, si(double(datagrams)));
  }
  if (!dropping.empty()) return dropping;
  if (!rule.reason.empty()) return printable(rule.reason.text);
  if (!dropped.empty()) return "had " + dropped;
  const bool heard = rule.rx_datagrams.value_or(0) != 0;
  return !heard && rule.state == RuleState::active ? "no datagram yet" : "";
}

Paint paint_of(const std::optional<RuleState>& state) {
  if (state == RuleState::failed || state == RuleState::silent || state == RuleState::looping)
    return Paint::red;
  if (state == RuleState::disabled) return Paint::dim;
  return state == RuleState::active ? Paint::none : Paint::yellow;
}

/// `before`: the same rule as it was; null: it is new.
RuleLine line_of(const Rule* before, const Rule& now, double seconds) {
  RuleLine line;
  line.rule = now.name;
  line.name = shown(now.name);
  line.state = shown(now.state);
  line.paint = paint_of(now.state);
  line.running = now.state == RuleState::active || now.state == RuleState::disabled;
  line.pps = now.rate_pps.value_or(0);
  line.bps = now.rate_bps.value_or(0);
  const auto then = tally_of(before != nullptr ? *before : now);
  const auto tally = tally_of(now);
  line.sent = rate(then.sent, tally.sent, seconds);
  for (const auto& [reason, datagrams] : tally.drops) {
    const auto known = then.drops.find(reason);
    line.drops += rate(known == then.drops.end() ? 0 : known->second, datagrams, seconds);
  }
  line.note = note_of(now, then, tally, seconds);
  return line;
}

std::vector<RuleLine> lines_of(const Status& before, const Status& now, double seconds) {
  std::unordered_map<std::string_view, const Rule*> known;
  for (const auto& rule : before.rules)
    known.emplace(rule.name, &rule);
  std::vector<RuleLine> lines;
  for (const auto& rule : now.rules) {
    const auto then = known.find(rule.name);
    lines.push_back(line_of(then == known.end() ? nullptr : then->second, rule, seconds));
  }
  return lines;
}

void sort(std::vector<RuleLine>& lines, FrameOrder order) {
  const auto key = [order](const RuleLine& line) {
    const auto first = order == FrameOrder::rate    ? line.pps
                       : order == FrameOrder::drops ? line.drops
                                                    : 0;
    return std::tuple(line.running, -first, std::string_view(line.name));
  };
  std::ranges::sort(lines, {}, key);
}

double kernel_drop_rate(const Status& before, const Status& now, double seconds) {
  const auto drops = [](const Status& status) {
    return status.totals.value_or(Totals{}).kernel_drops.value_or(0);
  };
  return rate(drops(before), drops(now), seconds);
}

std::string head(const Status& before, const Status& now, const std::vector<RuleLine>& lines,
                 double seconds, std::size_t columns) {
  double received = 0;
  double bits = 0;
  double sent = 0;
  double drops = 0;
  std::size_t stopped = 0;
  for (const auto& line : lines) {
    received += line.pps;
    bits += line.bps;
    sent += line.sent;
    drops += line.drops;
    stopped += line.running ? 0 : 1;
  }
  const auto& uptime = now.process.uptime_s;
  return wrapped(
             "",
             fmt::format("mcr {}, up {}: {}, {} not running", shown(now.process.version),
                         uptime ? duration(*uptime) : "-", plural(lines.size(), "rule"), stopped),
             columns) +
         wrapped(
             "",
             fmt::format("in {}/s, {}bit/s; out {}/s; drops {}/s; frames lost in the kernel {}/s",
                         si(received), si(bits), si(sent), si(drops),
                         si(kernel_drop_rate(before, now, seconds))),
             columns);
}

bool has(const RuleLine& line, const std::string& text) {
  return line.name.find(text) != std::string::npos || line.note.find(text) != std::string::npos;
}

/// "3 above, 981 below", "search: eth7"
std::string rest_text(std::size_t above, std::size_t below, const std::string& search) {
  std::string text;
  if (above != 0) text += fmt::format("{} above", grouped(above));
  if (below != 0) text += fmt::format("{}{} below", text.empty() ? "" : ", ", grouped(below));
  if (!search.empty())
    text += fmt::format("{}search: {}", text.empty() ? "" : "; ", printable(search));
  return text.empty() ? "" : text + '\n';
}

std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TextTable::Row row_of(const RuleLine& line, const FrameShape& shape) {
  TextTable::Row row{
      {line.name, line.state, si(line.pps), si(line.bps), si(line.sent), si(line.drops), line.note},
      {}};
  const auto drops = line.drops > 0 ? Paint::yellow : Paint::none;
  if (shape.colour)
    row.paints = {Paint::none, line.paint, Paint::none, Paint::none, Paint::none, drops};
  return row;
}

/// A screen that is too narrow for all rates: the note has the drops.
TextTable narrow_table_of(std::span<const RuleLine> lines, const FrameShape& shape) {
  TextTable table({{"RULE", false, true}, {"STATE"}, {"PKT/S", true}, {"", false, true}});
  for (const auto& line : lines) {
    TextTable::Row row{{line.name, line.state, si(line.pps), line.note}, {}};
    if (shape.colour) row.paints = {Paint::none, line.paint};
    table.add(std::move(row));
  }
  return table;
}

/// A narrow screen has room for a note or the bars: what is wrong comes first.
TextTable table_of(std::span<const RuleLine> lines, const FrameShape& shape, std::size_t columns) {
  constexpr std::size_t room_for_rates = 64;
  constexpr std::size_t room_for_both = 100;
  if (columns < room_for_rates) return narrow_table_of(lines, shape);
  const bool both = shape.last_minute != nullptr && columns >= room_for_both;
  std::vector<TextTable::Column> titles{{"RULE", false, true}, {"STATE"},       {"PKT/S", true},
                                        {"BIT/S", true},       {"OUT/S", true}, {"DROP/S", true},
                                        {"", false, true}};
  if (both) titles.push_back({"LAST MINUTE"});
  TextTable table(std::move(titles));
  for (const auto& line : lines) {
    auto row = row_of(line, shape);
    const auto bars =
        shape.last_minute == nullptr ? std::string() : shape.last_minute->of(line.rule);
    if (both)
      row.cells.push_back(bars);
    else if (line.note.empty())
      row.cells.back() = bars;
    table.add(std::move(row));
  }
  return table;
}

}  // namespace

void LastMinute::add(const Status& status, double seconds) {
  const auto newest = static_cast<std::int64_t>(seconds / bar_seconds);
  const auto gone = std::min<std::int64_t>(newest - newest_, bars);
  newest_ = newest;
  std::unordered_map<std::string, Bars> rules;
  for (const auto& rule : status.rules) {
    const auto known = rules_.find(rule.name);
    auto& values = rules[rule.name] = known == rules_.end() ? Bars{} : known->second;
    std::shift_left(values.begin(), values.end(), gone);
    std::fill(values.end() - gone, values.end(), Bar{});
    values.back().sum += rule.rate_pps.value_or(0);
    ++values.back().looks;
  }
  rules_ = std::move(rules);
}

std::string LastMinute::of(const std::string& rule) const {
  const auto known = rules_.find(rule);
  if (known == rules_.end()) return "";
  std::deque<double> means;
  for (const auto& [sum, looks] : known->second)
    if (looks != 0) means.push_back(sum / looks);
  const auto seen = sparkline(means);
  std::string text;
  for (std::size_t bar = 0, at = 0; bar < bars; ++bar) {
    constexpr std::size_t bytes = std::string_view("█").size();
    const bool empty = known->second[bar].looks == 0;
    text += empty ? " " : seen.substr(at, bytes);
    if (!empty) at += bytes;
  }
  return text;
}

std::string render_frame(const Status& before, const Status& now, double seconds,
                         const FrameShape& shape) {
  const auto columns =
      std::max<std::size_t>(shape.columns == 0 ? default_columns : shape.columns, fewest_columns);
  auto lines = lines_of(before, now, seconds);
  const auto top = head(before, now, lines, seconds, columns) + '\n';
  if (!shape.search.empty())
    std::erase_if(lines, [&](const RuleLine& line) { return !has(line, shape.search); });
  sort(lines, shape.order);
  auto shown = lines.size();
  if (shape.rows != 0) {
    const auto taken = line_count(top) + 2;  // the table's head, and "more"
    const auto room = shape.rows > taken ? shape.rows - taken : 0;
    shown = std::min(shown, std::max(room, fewest_rules));
  }
  const auto first = std::min(shape.first, lines.size() - shown);
  const auto table = table_of(std::span(lines).subspan(first, shown), shape, columns);
  return top + table.str(columns) + rest_text(first, lines.size() - first - shown, shape.search);
}

std::string render_rule_frame(const Status& now, const std::string& name, const FrameShape& shape) {
  auto text = render_rule(now, name);
  const auto rule = std::ranges::find(now.rules, name, &Rule::name);
  const auto end = text.find('\n');
  if (rule == now.rules.end() || end == std::string::npos) return text;
  const auto bars = shape.last_minute == nullptr ? std::string() : shape.last_minute->of(name);
  if (!bars.empty()) text.insert(end + 1, fmt::format("  last minute {}\n", bars));
  const auto state = shown(rule->state);
  if (shape.colour && std::string_view(text).substr(0, end).ends_with(state))
    text.replace(end - state.size(), state.size(), painted(state, paint_of(rule->state)));
  return text;
}

}  // namespace mcr::status
