#include "mcr/status/leg_views.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace mcr::status {

namespace {

double seconds(WatchTime::duration time) {
  return std::chrono::duration<double>(time).count();
}

bool heard(const redundancy::Leg& leg, WatchTime now) {
  const WatchTime seen{std::chrono::nanoseconds(leg.last_ns.get())};
  return leg.last_ns.get() != 0 && now - seen < LegWatch::lost_after;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
  return from - std::min(from, what);
}

bool has_numbers(const LegWatch::Watched& watched) {
  return watched.rule.merge->by != Merge::By::content;
}

/// A leg that is heard has not missed what is still on its way.
std::uint64_t missing_of(const LegWatch::Watched& watched, std::size_t input, WatchTime now) {
  const auto& leg = watched.leg(input);
  const auto end = heard(leg, now) ? leg.reached.get() : watched.legs->counts().span.get();
  return less(end, leg.before.get() + leg.numbers.get());
}

std::string_view name_of(Merge::By by) {
  constexpr std::array<std::string_view, 4> names{"rtp", "moldudp64", "sequence", "content"};
  return names[static_cast<std::size_t>(by)];
}

}  // namespace

double stream_bps(const LegWatch::Watched& watched, double rule_bps, WatchTime now) {
  std::size_t heard_legs = 0;
  for (std::size_t i = 0; i < watched.numbers.size(); ++i)
    heard_legs += heard(watched.leg(i), now) ? 1U : 0U;
  return rule_bps / static_cast<double>(std::max<std::size_t>(heard_legs, 1));
}

MergedLeg make_leg(const LegWatch::Watched& watched, std::size_t input, WatchTime now, double bps) {
  const auto& leg = watched.leg(input);
  MergedLeg view;
  view.received = leg.received.get();
  view.unique = leg.unique.get();
  view.duplicates = leg.duplicates.get();
  view.late = leg.late.get();
  view.standby = leg.standby.get();
  if (has_numbers(watched)) view.missing = missing_of(watched, input, now);
  view.copy = leg.aside.get() == 0;
  view.up = heard(leg, now) && view.copy;
  if (view.received == 0) return view;
  view.skew_p50_us = static_cast<double>(leg.skew.median_us());
  view.skew_max_us = static_cast<double>(leg.skew.most_us());
  view.path_class = path_class(*view.skew_max_us, bps);
  return view;
}

FailoverInput make_failover_input(const LegWatch::Watched& watched, std::size_t input,
                                  WatchTime now) {
  return {watched.looks[input].priority, watched.on_air.on_air() == input,
          watched.on_air.joined(input), watched.on_air.healthy(input),
          watched.on_air.why_not(input, *watched.rule.failover, now)};
}

MergeView make_merge(const LegWatch::Watched& watched, WatchTime now) {
  const auto& counts = watched.legs->counts();
  MergeView view;
  view.by = name_of(watched.rule.merge->by);
  view.resets = counts.resets.get();
  view.mismatches = counts.mismatches.get();
  const auto& merge = *watched.rule.merge;
  view.order = merge.order == Merge::Order::first ? "first" : "sequence";
  if (merge.order == Merge::Order::sequence) {
    view.window_s = seconds(merge.window);
    view.pace = merge.pace;
    view.waiting = counts.waiting.get();
    view.waiting_most = redundancy::Sequencer::most;
    view.early = counts.early.get();
  }
  if (!has_numbers(watched)) return view;
  view.lost = less(counts.span.get(), counts.numbers.get());
  view.recovered = less(missing_of(watched, 0, now), *view.lost);
  return view;
}

FailoverView make_failover(const LegWatch::Watched& watched, WatchTime now) {
  const auto& on_air = watched.on_air;
  FailoverView view;
  view.on_air = on_air.on_air() + 1;
  view.backup = watched.on_backup();
  view.by_hand = on_air.by_hand().has_value();
  if (const auto until = on_air.by_hand_until())
    view.by_hand_left_s = std::max(0.0, seconds(*until - now));
  view.switches = on_air.switches();
  if (const auto& last = on_air.last())
    view.last = {last->from + 1, last->to + 1, std::string(to_string(last->why)),
                 std::max(0.0, seconds(now - last->at))};
  return view;
}

}  // namespace mcr::status
