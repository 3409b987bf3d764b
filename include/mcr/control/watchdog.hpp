// Finds workers that are stuck. The control thread wakes every worker once a second, so that an
// idle one goes round its loop, too, and looks if the count of rounds has grown.
#pragma once

#include <cstdint>

namespace mcr {

class WorkerWatchdog {
 public:
  /// A worker with so many samples in a row at the same count is stuck. Samples are counted and not
  /// seconds, so that no worker is accused after the whole machine was asleep.
  static constexpr unsigned patience = 3;

  /// `rounds`: of the worker's loop since it began. True if this sample has changed stuck().
  bool sample(std::uint64_t rounds) noexcept {
    const bool before = stuck();
    still_ = rounds == rounds_ ? still_ + 1 : 0;
    rounds_ = rounds;
    return stuck() != before;
  }
  [[nodiscard]] bool stuck() const noexcept { return still_ >= patience; }

 private:
  std::uint64_t rounds_ = 0;
  unsigned still_ = 0;  ///< samples in a row
};

}  // namespace mcr
