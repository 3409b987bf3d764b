// The thread that looks at the inputs of rules with `failover` in time, however long the control
// thread is busy. Theory in leg_watch.cpp.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "mcr/base/fd.hpp"
#include "mcr/control/leg_watch.hpp"

namespace mcr {

/// Control thread only.
class LegLookout {
 public:
  /// Looks at `watch`, which outlives it. Throws OsError.
  explicit LegLookout(LegWatch& watch);
  ~LegLookout() { stop(); }
  LegLookout(const LegLookout&) = delete;
  LegLookout& operator=(const LegLookout&) = delete;

  /// Starts the thread; it has its maker's rights and signal mask. Throws OsError.
  void start();
  /// Ends it, and waits for that: for one look at most.
  void stop() noexcept;

  /// True: a look is due each LegWatch::interval from now on. False, as at first: none is.
  void set_due(bool due);

  /// Readable when inputs are to be joined, or left: LegWatch::take_join_change(). The caller
  /// polls.
  [[nodiscard]] Fd join_news() const noexcept { return join_news_; }
  /// Until the next look with news.
  void take_join_news() noexcept;

 private:
  void work();
  void look() noexcept;

  LegWatch& watch_;
  UniqueFd join_news_;
  std::mutex mutex_;  ///< of the two flags
  std::condition_variable changed_;
  bool due_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mcr
