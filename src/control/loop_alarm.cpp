//   quiet ---- `echoes` of them, without a pause ----> looping
//     ^                                                   |
//     +------------------ a pause ------------------------+
#include "mcr/control/loop_alarm.hpp"

#include <fmt/format.h>

#include <utility>

namespace mcr {

LoopAlarm::Event LoopAlarm::update(const Echoes& heard, Time now) {
  const auto more = heard.datagrams - (heard.datagrams < last_.datagrams ? 0 : last_.datagrams);
  if (more != 0) {
    last_ = heard;
    last_at_ = now;
    since_pause_ += more;
    if (since_pause_ < echoes) return Event::none;
    return std::exchange(looping_, true) ? Event::none : Event::began;
  }
  if (now - last_at_ < pause) return Event::none;
  since_pause_ = 0;
  return std::exchange(looping_, false) ? Event::ended : Event::none;
}

std::string LoopAlarm::reason(std::string_view interface) const {
  return fmt::format("what it sends comes back on {} from {}: {} datagrams stopped", interface,
                     last_.source, since_pause_);
}

}  // namespace mcr
