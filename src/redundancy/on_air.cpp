// The health of an input, in the terms of VRRP's preemption (RFC 9568):
//
//             heard                 good for `hold`
//   failed ----------> proving -----------------------> good    (all begin as good)
//     ^                 |   ^                             |
//     |                 v   | as `expect` says            |
//     |                 poor <----------------------------+
//     |                 |   heard, but not as `expect` says
//     +-----------------+---------------------------------+
//         silent for `after`, or it cannot be used
//
// An input that is not warm is `cold`, and not joined, until it is needed; then it is `failed`
// until it is heard. So it is on air only when there is something to send. It is needed
//   while it is on air, or shall be by hand
//   while the one on air is failed or poor, and from then on until that one is good
//   while the one on air is to be left for it as soon as it is good: it has the better priority
//
// The input on air, by the first line that applies:
//   by hand                    the chosen one, whatever becomes of it
//   the one on air is failed   the best one that is good; else the best one that proves itself;
//                              else a poor one; else it stays, and the first to return wins at
//                              once
//   it is poor                 the best one that is good; else it stays
//   it is neither              with `revert`, the best one that is good and has a lower priority
//
// Between two switches lies `min_stay`, but not after all had failed. An input that failed twice in
// half a minute has to be good for half a minute, whatever `hold` says: a flapping source is left
// and not taken back.
#include "mcr/redundancy/on_air.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace mcr::redundancy {

namespace {

double seconds(InputLook::Time::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

std::string_view to_string(OnAir::Why why) noexcept {
  static constexpr std::array<std::string_view, 5> names{"failed", "not as expected", "reverted",
                                                         "by hand", "released"};
  return names[static_cast<std::size_t>(why)];
}

void OnAir::begin(std::span<const InputLook> inputs, Time now) {
  begun_ = now;
  health_.assign(inputs.size(), {});
  for (auto& health : health_)
    health.since = now;
  on_air_ = best(inputs, State::good);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].warm && i != on_air_) health_[i].state = State::cold;
}

void OnAir::rearrange(std::span<const std::optional<std::size_t>> before, Time now) {
  const auto place = [&](std::size_t old) -> std::optional<std::size_t> {
    const auto found = std::ranges::find(before, std::optional(old));
    if (found == before.end()) return std::nullopt;
    return static_cast<std::size_t>(found - before.begin());
  };
  std::vector<Health> next(before.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i])
      next[i] = health_[*before[i]];
    else
      next[i] = {.state = State::proving,
                 .usable = true,
                 .shortcoming = {},
                 .heard = {},
                 .since = now,
                 .failed_last = {},
                 .failed_before = {},
                 .joined = {}};
  health_ = std::move(next);
  on_air_ = place(on_air_).value_or(0);
  if (by_hand_) by_hand_ = place(*by_hand_);
  last_.reset();  // it speaks of other places
}

/// The input becomes `failed` or `poor`: `state` says which.
void OnAir::leave_good(Health& health, State state, Time now) const {
  const bool was_well = health.state > State::poor;
  health.state = state;
  health.since = now;
  if (!health.heard || !was_well) return;  // it was never there, or that is noted already
  health.failed_before = health.failed_last;
  health.failed_last = now;
}

std::chrono::microseconds OnAir::hold_of(const Health& health, const Failover& wanted) {
  const bool flaps = health.failed_before && health.failed_last &&
                     *health.failed_last - *health.failed_before < flapping;
  return flaps ? std::max<std::chrono::microseconds>(wanted.hold, flapping) : wanted.hold;
}

void OnAir::update(Health& health, const Failover& wanted, const InputLook& input, Time now) const {
  health.usable = input.usable;
  health.heard = input.last_seen;
  const auto heard = std::max(input.last_seen.value_or(begun_), begun_);
  const bool alive = input.usable && input.last_seen >= health.joined && now - heard < wanted.after;
  health.shortcoming = input.shortcoming;
  const auto bad = !alive ? State::failed : State::poor;
  if (!alive || !input.shortcoming.empty()) {
    if (health.state != bad) leave_good(health, bad, now);
    return;
  }
  if (health.state <= State::poor) {
    health.state = State::proving;
    health.since = now;
  }
  if (health.state == State::proving && now - health.since >= hold_of(health, wanted)) {
    health.state = State::good;
    health.since = now;
  }
}

/// The first one by state and then by priority, if it is in this state or a better one; else the
/// one on air.
std::size_t OnAir::best(std::span<const InputLook> inputs, State least) const {
  std::optional<std::size_t> found;
  const auto before = [&](std::size_t one, std::size_t other) {
    if (health_[one].state != health_[other].state)
      return health_[one].state > health_[other].state;
    return inputs[one].priority < inputs[other].priority;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (health_[i].state >= least && (!found || before(i, *found))) found = i;
  return found.value_or(on_air_);
}

std::optional<OnAir::Switch> OnAir::change(std::size_t to, Why why, Time now) {
  if (to == on_air_) return std::nullopt;
  last_ = Switch{on_air_, to, why, now};
  on_air_ = to;
  ++switches_;
  all_failed_ = false;
  return last_;
}

std::optional<OnAir::Switch> OnAir::look(const Failover& wanted, std::span<const InputLook> inputs,
                                         Time now) {
  if (health_.size() != inputs.size()) begin(inputs, now);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (joined(i)) update(health_[i], wanted, inputs[i], now);
  if (std::ranges::all_of(health_, [](const Health& h) { return h.state <= State::failed; }))
    all_failed_ = true;
  if (until_ && now >= *until_) release();
  const auto change = choose(wanted, inputs, now);
  join_as_needed(wanted, inputs, now);
  return change;
}

bool OnAir::is_needed(const Failover& wanted, std::span<const InputLook> inputs,
                      std::size_t input) const {
  if (input == on_air_ || by_hand_ == input) return true;
  if (wanted.revert != Failover::Revert::never && inputs[input].priority < inputs[on_air_].priority)
    return true;
  const auto state = health_[on_air_].state;
  return state <= State::poor || (state == State::proving && joined(input));
}

void OnAir::join_as_needed(const Failover& wanted, std::span<const InputLook> inputs, Time now) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool needed = inputs[i].warm || is_needed(wanted, inputs, i);
    if (needed == joined(i)) continue;
    health_[i].state = needed ? State::failed : State::cold;
    health_[i].since = now;
    health_[i].joined = needed ? std::optional(now) : std::nullopt;
  }
}

/// It was joined just now, and may be heard soon.
bool OnAir::is_awaited(std::size_t input, const Failover& wanted, Time now) const {
  const auto& health = health_[input];
  if (health.state == State::cold) return true;
  return health.state == State::failed && health.joined && now - *health.joined < wanted.after;
}

std::optional<OnAir::Switch> OnAir::choose(const Failover& wanted,
                                           std::span<const InputLook> inputs, Time now) {
  if (by_hand_ && is_awaited(*by_hand_, wanted, now)) return std::nullopt;
  if (by_hand_) return change(*by_hand_, Why::by_hand, now);
  const bool released = std::exchange(released_, false);
  if (health_[on_air_].state <= State::failed) {
    if (last_ && now - last_->at < wanted.min_stay && !all_failed_ && !released)
      return std::nullopt;
    return change(best(inputs, State::poor), Why::failed, now);
  }
  all_failed_ = false;
  if (health_[on_air_].state == State::poor) {
    if (last_ && now - last_->at < wanted.min_stay && !released) return std::nullopt;
    return change(best(inputs, State::good), Why::poor, now);
  }
  if (wanted.revert == Failover::Revert::never) return std::nullopt;
  if (wanted.revert == Failover::Revert::manual && !released) return std::nullopt;
  if (last_ && now - last_->at < wanted.min_stay && !released) return std::nullopt;
  const auto better = best(inputs, State::good);
  if (inputs[better].priority >= inputs[on_air_].priority) return std::nullopt;
  return change(better, released ? Why::released : Why::reverted, now);
}

void OnAir::put_on_air(std::size_t input, std::optional<std::chrono::microseconds> time, Time now) {
  by_hand_ = input;
  until_ = time ? std::optional(now + *time) : std::nullopt;
}

void OnAir::release() noexcept {
  released_ = by_hand_.has_value();
  by_hand_.reset();
  until_.reset();
}

bool OnAir::healthy(std::size_t input) const noexcept {
  return input < health_.size() && health_[input].state == State::good;
}

std::string OnAir::why_not(std::size_t input, const Failover& wanted, Time now) const {
  if (input >= health_.size()) return "not looked at yet";
  const auto& health = health_[input];
  if (health.state == State::good) return "";
  if (health.state == State::cold) return "not joined: warm = false";
  if (!health.usable) return "it cannot be used";
  if (health.state == State::failed)
    return health.heard ? fmt::format("silent for {:.1f} s", seconds(now - *health.heard))
                        : "never heard";
  if (health.state == State::poor) return health.shortcoming;
  return fmt::format("back for {:.1f} s of {:.1f} s", seconds(now - health.since),
                     seconds(hold_of(health, wanted)));
}

}  // namespace mcr::redundancy
