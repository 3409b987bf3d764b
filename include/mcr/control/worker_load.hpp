// How much of a CPU a worker takes, and which, between two samples. Control thread only.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "mcr/host/thread_usage.hpp"

namespace mcr {

class WorkerLoad {
 public:
  using Clock = std::chrono::steady_clock;

  /// `usage`: of the worker's thread now. Samples closer together than `least` change nothing.
  void sample(const std::optional<ThreadUsage>& usage, Clock::time_point now) noexcept {
    if (before_ && now - at_ < least) return;
    if (usage && before_)
      share_ = std::clamp(std::chrono::duration<double>(usage->cpu_time - before_->cpu_time) /
                              std::chrono::duration<double>(now - at_),
                          0.0, 1.0);
    before_ = usage;
    at_ = now;
  }

  /// 0 to 1.
  [[nodiscard]] double share() const noexcept { return share_; }
  /// Nothing: not known yet.
  [[nodiscard]] std::optional<unsigned> last_cpu() const noexcept {
    if (!before_) return std::nullopt;
    return before_->last_cpu;
  }

 private:
  /// The kernel counts in ticks of 10 ms.
  static constexpr std::chrono::milliseconds least{500};

  std::optional<ThreadUsage> before_;
  Clock::time_point at_;
  double share_ = 0;
};

}  // namespace mcr
