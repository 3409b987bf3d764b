#include "mcr/control/stream_watch.hpp"

#include <algorithm>

#include "mcr/config/rule.hpp"

namespace mcr {

void StreamWatch::Watched::read(Clock::time_point now) {
  const auto now_ns =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(now.time_since_epoch()).count());
  sight.before = std::move(sight.now);
  sight.before_at = sight.now_at;
  sight.now = {};
  sight.now_at = now;
  for (std::size_t worker = 0; worker < readers.size(); ++worker)
    sight.now.add(readers[worker].read(inspection->inspector(worker), now_ns));
  const auto still_lost = std::min(sight.before.counts.lost, sight.now.counts.lost);
  sight.lost_for_good = std::max(sight.lost_for_good, still_lost);
}

void StreamWatch::tick(std::span<const Rule> rules, const StreamInspections& inspections,
                       Clock::time_point now) {
  decltype(watched_) kept;
  for (const auto& rule : rules)
    for (std::size_t i = 0; rule.inspect && i < rule.inputs.size(); ++i) {
      auto inspection = inspections.find(rule, rule.inputs[i]);
      if (!inspection) continue;
      const std::pair key(rule.name, i);
      auto& watched = kept[key];
      if (const auto known = watched_.find(key);
          known != watched_.end() && known->second.inspection == inspection) {
        watched = std::move(known->second);
      } else {
        watched.readers = std::vector<stream::ReportReader>(inspection->workers());
        watched.sight.now_at = now;
        watched.inspection = std::move(inspection);
      }
      watched.read(now);
    }
  watched_ = std::move(kept);
}

const StreamSight* StreamWatch::find(const std::string& rule, std::size_t input) const {
  const auto known = watched_.find({rule, input});
  return known == watched_.end() ? nullptr : &known->second.sight;
}

}  // namespace mcr
