//            rule runs           hears what is expected
//   off ----------------> lacking -----------------------> content
//    ^                     |   ^                              |
//    |                     |   +------------------------------+
//    |                     |       does not hear it
//    |    for silent_after |
//    |                     v     hears what is expected
//    |                   silent -----------------------> content, and it has returned
//    |
//    +-- from everywhere: the rule does not run (waiting, failed, disabled)
//
// A waiting rule is not silent: its state has a reason of its own. When it runs, the time begins
// anew.
#include "mcr/control/silence_alarm.hpp"

#include <fmt/format.h>

#include <utility>

namespace mcr {

namespace {

std::chrono::seconds whole_seconds(Hearing::Time::duration time) {
  return std::chrono::round<std::chrono::seconds>(time);
}

}  // namespace

SilenceAlarm::Event SilenceAlarm::update(const Expectation& expect, const Hearing& hearing) {
  if (!hearing.listening) {
    state_ = State::off;
    return Event::none;
  }
  if (state_ == State::off) {
    state_ = State::lacking;
    since_ = hearing.now;
  }
  const bool any_will_do = expect.min_pps == 0;
  const bool enough = any_will_do ? hearing.last_seen && *hearing.last_seen > since_
                                  : hearing.pps >= static_cast<double>(expect.min_pps);
  if (enough) {
    since_ = any_will_do ? *hearing.last_seen : hearing.now;
    const bool was_silent = std::exchange(state_, State::content) == State::silent;
    return was_silent ? Event::returned : Event::none;
  }
  if (state_ == State::silent) return Event::none;
  const bool too_long = hearing.now - since_ >= expect.silent_after;
  state_ = too_long ? State::silent : State::lacking;
  return too_long ? Event::fell_silent : Event::none;
}

std::chrono::seconds SilenceAlarm::lacking_for(Hearing::Time now) const noexcept {
  return whole_seconds(now - since_);
}

std::string SilenceAlarm::reason(const Expectation& expect, const Hearing& hearing) const {
  if (!hearing.last_seen)
    return fmt::format("no datagram since it became active, {} s ago",
                       lacking_for(hearing.now).count());
  const auto quiet = hearing.now - *hearing.last_seen;
  if (expect.min_pps == 0 || quiet >= expect.silent_after)
    return fmt::format("no datagram for {} s; last from {}", whole_seconds(quiet).count(),
                       hearing.last_source);
  return fmt::format("{:.0f} datagrams/s, expected at least {}", hearing.pps, expect.min_pps);
}

}  // namespace mcr
