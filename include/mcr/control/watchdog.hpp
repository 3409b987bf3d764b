// Whether a worker still goes round its loop, seen from the control thread: it wakes every worker
// once a second, so that an idle one goes round, too, and looks whether the count has grown.
#pragma once

#include <cstdint>

namespace mcr {

class WorkerWatchdog {
 public:
  /// So many samples in a row at the same count: the worker is stuck. Samples and not seconds, so
  /// that a machine that was asleep as a whole accuses nobody.
  static constexpr unsigned patience = 3;

  /// `rounds`: of the worker's loop since it began. True if stuck() has changed by it.
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
