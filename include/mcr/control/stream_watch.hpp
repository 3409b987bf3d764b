// Watches the streams of rules that are inspected: reads each second what the workers have seen.
// Control thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/rules/stream_inspection.hpp"
#include "mcr/stream/report.hpp"

namespace mcr {

struct Rule;

/// One input's stream as of the last tick, and as of the one before.
struct StreamSight {
  using Clock = std::chrono::steady_clock;

  stream::StreamReport now;
  Clock::time_point now_at;
  stream::StreamReport before;
  Clock::time_point before_at;
  /// Numbers that were still missing one tick after they were first missed: what is only late is
  /// none of these. Never falls.
  std::uint64_t lost_for_good = 0;
};

class StreamWatch {
 public:
  using Clock = StreamSight::Clock;

  /// Reads all inspections of the rules that run; forgets those that run no more.
  void tick(std::span<const Rule> rules, const StreamInspections& inspections,
            Clock::time_point now);

  /// Null: it is not inspected, or nothing was read yet.
  [[nodiscard]] const StreamSight* find(const std::string& rule, std::size_t input) const;

 private:
  struct Watched {
    std::shared_ptr<const StreamInspection> inspection;
    std::vector<stream::ReportReader> readers;  ///< by worker
    StreamSight sight;

    void read(Clock::time_point now);
  };

  std::map<std::pair<std::string, std::size_t>, Watched> watched_;
};

}  // namespace mcr
