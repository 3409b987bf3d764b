//   quiet ---- `echoes` of them, a `share`, without a pause ----> looping
//     ^        or one that proves it (rules/return_probe.hpp)        |
//     +------------------------- a pause ----------------------------+
#include "mcr/control/loop_alarm.hpp"

#include <fmt/format.h>

#include <utility>

namespace mcr {

LoopAlarm::Event LoopAlarm::update(const Echoes& heard, std::uint64_t taken, Time now) {
  const auto more = heard.datagrams - last_.datagrams;
  const bool proven = heard.proofs != last_.proofs;
  if (!looping_ && (echoes_ == 0 || now - began_at_ >= span)) {
    echoes_ = 0;
    taken_ = last_taken_;
    began_at_ = now;
  }
  last_taken_ = taken;
  if (more != 0) {
    last_ = heard;
    last_at_ = now;
    echoes_ += more;
    const bool many = echoes_ >= echoes && echoes_ * share >= taken - taken_;
    if (looping_ || (!many && !proven)) return Event::none;
    looping_ = true;
    return Event::began;
  }
  if (now - last_at_ < pause) return Event::none;
  echoes_ = 0;
  return std::exchange(looping_, false) ? Event::ended : Event::none;
}

std::string LoopAlarm::reason(std::string_view interface) const {
  const auto what =
      last_.by_wire
          ? fmt::format("a wire brings what other segments have to {}, as from {}", interface,
                        last_.source)
          : fmt::format("what it sends comes back on {} from {}", interface, last_.source);
  return fmt::format("{}: {} datagrams stopped", what, echoes_);
}

}  // namespace mcr
