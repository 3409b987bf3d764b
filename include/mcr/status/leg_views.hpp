// The legs of a rule as LegWatch knows them, as values to show.
#pragma once

#include <cstddef>

#include "mcr/control/leg_watch.hpp"
#include "mcr/status/redundancy.hpp"

namespace mcr::status {

using WatchTime = LegWatch::Clock::time_point;

[[nodiscard]] MergedLeg make_leg(const LegWatch::Watched& watched, std::size_t input,
                                 WatchTime now);
[[nodiscard]] FailoverInput make_failover_input(const LegWatch::Watched& watched, std::size_t input,
                                                WatchTime now);
[[nodiscard]] MergeView make_merge(const LegWatch::Watched& watched, WatchTime now);
[[nodiscard]] FailoverView make_failover(const LegWatch::Watched& watched, WatchTime now);

}  // namespace mcr::status
