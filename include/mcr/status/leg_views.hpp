// The legs of a rule as LegWatch knows them, as values to show.
#pragma once

#include <cstddef>

#include "mcr/control/leg_watch.hpp"
#include "mcr/status/redundancy.hpp"

namespace mcr::status {

using WatchTime = LegWatch::Clock::time_point;

/// The bits of the merged stream in a second, where the rule hears `rule_bps`: each leg brings all.
[[nodiscard]] double stream_bps(const LegWatch::Watched& watched, double rule_bps, WatchTime now);
[[nodiscard]] MergedLeg make_leg(const LegWatch::Watched& watched, std::size_t input, WatchTime now,
                                 double bps);
[[nodiscard]] FailoverInput make_failover_input(const LegWatch::Watched& watched, std::size_t input,
                                                WatchTime now);
[[nodiscard]] MergeView make_merge(const LegWatch::Watched& watched, WatchTime now);
[[nodiscard]] FailoverView make_failover(const LegWatch::Watched& watched, WatchTime now);

}  // namespace mcr::status
