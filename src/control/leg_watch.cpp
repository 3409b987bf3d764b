// A look reads counters of the workers and decides (redundancy/on_air.cpp); the one thing that a
// worker is told is which leg is on air. A rule that stays over a reload keeps its legs, and so its
// watch.
//
// The gap at a receiver may be `after` and 20 ms, whatever the control thread does: a status of
// 10,000 rules takes it most of a second. So look() has a thread of its own. Of `watched_`
//   the control thread alone adds and removes rules, and holds `mutex_` for it
//   look() changes the rules with `failover`, and holds `mutex_` all the while
// and so the control thread may go through the rules without it, and read and change those with
// `merge`; but whoever reads or changes one with `failover` holds it. The control thread holds it
// for one rule at a time, but at the end of a reload, where what is known of each rule goes over to
// the new ones.
#include "mcr/control/leg_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/base/log.hpp"

namespace mcr {

namespace {

std::optional<redundancy::InputLook::Time> last_seen(const redundancy::Leg& leg) {
  const auto ns = leg.last_ns.get();
  if (ns == 0) return std::nullopt;
  return redundancy::InputLook::Time(std::chrono::nanoseconds(ns));
}

bool heard(const redundancy::Leg& leg, LegWatch::Clock::time_point now) {
  const auto seen = last_seen(leg);
  return seen && now - *seen < LegWatch::lost_after;
}

std::string leg_text(const Rule& rule, std::size_t input) {
  return fmt::format("rule={} input={} place={}", log::value(rule.name), input + 1,
                     log::value(place_of(rule.inputs[input])));
}

/// "63 ms"
std::string time_text(std::chrono::microseconds time) {
  return fmt::format("{} ms", std::chrono::round<std::chrono::milliseconds>(time).count());
}

/// Most of its datagrams come later than any other would wait for them.
bool is_behind(const Rule& rule, const redundancy::Leg& leg) {
  return rule.merge->order == Merge::Order::sequence &&
         leg.skew.median_us() > static_cast<std::uint64_t>(rule.merge->window.count());
}

std::string behind_text(const Rule& rule, const redundancy::Leg& leg) {
  return fmt::format("behind=\"{}\" window=\"{}\"",
                     time_text(std::chrono::microseconds(leg.skew.most_us())),
                     time_text(rule.merge->window));
}

void tell(const Rule& rule, const redundancy::OnAir::Switch& change, const std::string& reason) {
  const auto line = fmt::format("input switched: {} instead_of={} reason={}",
                                leg_text(rule, change.to), change.from + 1, log::value(reason));
  if (change.why == redundancy::OnAir::Why::reverted)
    log::notice("{}", line);
  else
    log::warning("{}", line);
}

std::vector<bool> joined(const LegWatch::Watched& watched) {
  std::vector<bool> joined(watched.looks.size());
  for (std::size_t i = 0; i < joined.size(); ++i)
    joined[i] = watched.on_air.joined(i);
  return joined;
}

bool has_cold(const Rule& rule) {
  return !std::ranges::all_of(rule.inputs, &Input::warm);
}

}  // namespace

std::string LegWatch::trouble_of(const Watched& watched, std::size_t input) {
  if (watched.lost[input]) return "is lost";
  if (watched.aside[input]) return "is no copy of the others: not merged";
  if (!watched.behind[input]) return "";
  return fmt::format("is up to {} behind: window too small",
                     time_text(std::chrono::microseconds(watched.leg(input).skew.most_us())));
}

std::string place_of(const Input& input) {
  return fmt::format("{} on {}", input.destinations().str(), input.interface);
}

bool LegWatch::Watched::is_heard(std::size_t input, Clock::time_point now) const {
  return heard(leg(input), now);
}

bool LegWatch::Watched::on_backup() const {
  const auto own = looks[on_air.on_air()].priority;
  return std::ranges::any_of(looks, [own](const auto& look) { return look.priority < own; });
}

/// As if nothing were known of any rule before.
LegWatch::WatchedByName LegWatch::make(std::span<const Rule> rules,
                                       std::span<const RuleStatus> statuses,
                                       const redundancy::LegRegistry& registry,
                                       Clock::time_point now) {
  WatchedByName made;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto& rule = rules[r];
    if (!rule.merge && !rule.failover) continue;
    auto legs = registry.find(rule);
    if (!legs) continue;
    Watched watched{rule, std::move(legs), {}, {}, {}, {}, {}, {}};
    watched.lost.resize(rule.inputs.size());
    watched.aside.resize(rule.inputs.size());
    watched.behind.resize(rule.inputs.size());
    for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
      watched.numbers.push_back(registry.number_of(rule, rule.inputs[i]));
      watched.looks.push_back({statuses[r].input_reasons[i].empty(), last_seen(watched.leg(i)),
                               rule.inputs[i].priority, "", rule.inputs[i].warm});
    }
    watched.on_air.begin(watched.looks, now);
    made.emplace(rule.name, std::move(watched));
  }
  return made;
}

void LegWatch::follow(std::span<const Rule> rules, std::span<const RuleStatus> statuses,
                      const redundancy::LegRegistry& registry, Clock::time_point now) {
  auto next = make(rules, statuses, registry, now);  // later those before: freed without lock
  const std::lock_guard lock(mutex_);
  now = not_before_last(now);
  has_failover_ = false;
  for (auto& [name, watched] : next) {
    if (const auto before = watched_.find(name);
        before != watched_.end() && before->second.legs == watched.legs)
      keep(watched, before->second, now);
    if (watched.rule.failover) look(watched, now);
    has_failover_ = has_failover_ || watched.rule.failover.has_value();
    joins_changed_ = joins_changed_ || has_cold(watched.rule);
  }
  watched_.swap(next);
}

void LegWatch::keep(Watched& now, const Watched& before, Clock::time_point time) {
  now.on_air = before.on_air;
  now.switch_reason = before.switch_reason;
  if (now.numbers == before.numbers) {
    for (std::size_t i = 0; i < now.looks.size(); ++i)
      now.looks[i].shortcoming = before.looks[i].shortcoming;
    now.lost = before.lost;
    now.aside = before.aside;
    now.behind = before.behind;
    return;
  }
  std::vector<std::optional<std::size_t>> places;
  for (const auto number : now.numbers) {
    const auto same = std::ranges::find(before.numbers, number);
    places.push_back(same == before.numbers.end()
                         ? std::nullopt
                         : std::optional(static_cast<std::size_t>(same - before.numbers.begin())));
  }
  now.on_air.rearrange(places, time);
}

/// Two threads look, each with its own time, and one waits for the other. For an input that has
/// failed, time that goes back would be a recovery.
LegWatch::Clock::time_point LegWatch::not_before_last(Clock::time_point now) noexcept {
  looked_at_ = std::max(looked_at_, now);
  return looked_at_;
}

void LegWatch::look(Watched& watched, Clock::time_point now) {
  for (std::size_t i = 0; i < watched.looks.size(); ++i)
    watched.looks[i].last_seen = last_seen(watched.leg(i));
  const auto& wanted = *watched.rule.failover;
  const auto before = has_cold(watched.rule) ? joined(watched) : std::vector<bool>();
  const auto change = watched.on_air.look(wanted, watched.looks, now);
  watched.legs->put_on_air(watched.numbers[watched.on_air.on_air()]);
  follow_joins(watched, before);
  if (!change) return;
  using Why = redundancy::OnAir::Why;
  watched.switch_reason = change->why == Why::failed || change->why == Why::poor
                              ? watched.on_air.why_not(change->from, wanted, now)
                              : std::string(to_string(change->why));
  tell(watched.rule, *change, watched.switch_reason);
}

void LegWatch::follow_joins(const Watched& watched, const std::vector<bool>& before) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (watched.on_air.joined(i) == before[i]) continue;
    joins_changed_ = true;
    log::notice("input {}: {}", before[i] ? "left" : "joined", leg_text(watched.rule, i));
  }
}

/// A new rule at first joins only the input that goes on air.
bool LegWatch::joins(const Rule& rule, const Input& input) const {
  if (input.warm || !rule.failover) return true;
  const std::lock_guard lock(mutex_);
  const auto identity = redundancy::LegRegistry::identity_of;
  if (const auto known = watched_.find(rule.name); known != watched_.end()) {
    const auto& inputs = known->second.rule.inputs;
    const auto same = std::ranges::find(inputs, identity(input), identity);
    if (same != inputs.end())
      return known->second.on_air.joined(static_cast<std::size_t>(same - inputs.begin()));
  }
  const auto best = std::ranges::min_element(rule.inputs, {}, &Input::priority);
  return best != rule.inputs.end() && *best == input;
}

void LegWatch::set_shortcoming(const std::string& rule, std::size_t input, std::string text) {
  const std::lock_guard lock(mutex_);
  const auto known = watched_.find(rule);
  if (known == watched_.end() || input >= known->second.looks.size()) return;
  known->second.looks[input].shortcoming = std::move(text);
}

bool LegWatch::look(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  now = not_before_last(now);
  for (auto& [name, watched] : watched_)
    if (watched.rule.failover) look(watched, now);
  return joins_changed_;
}

bool LegWatch::take_join_change() {
  const std::lock_guard lock(mutex_);
  return std::exchange(joins_changed_, false);
}

void LegWatch::look_behind(Watched& watched, std::size_t input) {
  const bool behind = is_behind(watched.rule, watched.leg(input));
  if (behind == watched.behind[input]) return;
  watched.behind[input] = behind;
  if (behind)
    log::warning("leg is behind by more than window: {} {}", leg_text(watched.rule, input),
                 behind_text(watched.rule, watched.leg(input)));
  else
    log::notice("leg is within window again: {}", leg_text(watched.rule, input));
}

void LegWatch::tick(Watched& watched, Clock::time_point now) {
  const auto inputs = watched.numbers.size();
  bool any = false;
  for (std::size_t i = 0; i < inputs; ++i)
    any = any || heard(watched.leg(i), now);
  if (!any) return;  // silence of the whole rule is another alarm's
  for (std::size_t i = 0; i < inputs; ++i) {
    const bool lost = !heard(watched.leg(i), now);
    if (lost != watched.lost[i]) {
      watched.lost[i] = lost;
      if (lost)
        log::warning("leg lost: {}", leg_text(watched.rule, i));
      else
        log::notice("leg back: {}", leg_text(watched.rule, i));
    }
    look_behind(watched, i);
    const bool aside = watched.leg(i).aside.get() != 0;
    if (aside == watched.aside[i]) continue;
    watched.aside[i] = aside;
    if (aside)
      log::error("leg is no copy of the others, and is not merged: {}", leg_text(watched.rule, i));
    else
      log::notice("leg is merged again: {}", leg_text(watched.rule, i));
  }
}

void LegWatch::tick(Clock::time_point now) {
  for (auto& [name, watched] : watched_)
    if (watched.rule.merge) tick(watched, now);
}

std::string LegWatch::put_on_air(const std::string& rule, std::optional<std::size_t> input,
                                 std::optional<std::chrono::microseconds> time,
                                 Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  now = not_before_last(now);
  const auto known = watched_.find(rule);
  if (known == watched_.end() || !known->second.rule.failover)
    return fmt::format("no rule {} with `failover` runs", rule);
  auto& watched = known->second;
  if (input && *input >= watched.numbers.size())
    return fmt::format("rule {} has {} inputs", rule, watched.numbers.size());
  if (input)
    watched.on_air.put_on_air(*input, time, now);
  else
    watched.on_air.release();
  look(watched, now);
  return "";
}

std::string LegWatch::trouble(const std::string& rule) const {
  std::string text;
  visit(rule, [&](const Watched& watched) {
    text = watched.rule.failover ? trouble_on_air(watched) : trouble_of_legs(watched);
  });
  return text;
}

std::string LegWatch::trouble_on_air(const Watched& watched) {
  const auto on_air = watched.on_air.on_air() + 1;
  if (const auto chosen = watched.on_air.by_hand())
    return fmt::format("input {} is on air by hand{}", *chosen + 1,
                       *chosen + 1 == on_air ? "" : " as soon as it is heard");
  return watched.on_backup() ? fmt::format("on backup: input {} is on air", on_air) : "";
}

std::string LegWatch::trouble_of_legs(const Watched& watched) {
  std::string text;
  for (std::size_t i = 0; i < watched.lost.size(); ++i) {
    const auto trouble = trouble_of(watched, i);
    if (!trouble.empty())
      text += fmt::format("{}input {} {}", text.empty() ? "" : "; ", i + 1, trouble);
  }
  return text;
}

}  // namespace mcr
