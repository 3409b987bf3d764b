#include "mcr/control/leg_lookout.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <system_error>

#include "mcr/base/error.hpp"
#include "mcr/control/try_or_log.hpp"

namespace mcr {

LegLookout::LegLookout(LegWatch& watch)
    : watch_(watch), join_news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!join_news_.valid()) throw_errno("create eventfd", "for inputs to join");
}

void LegLookout::start() {
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& error) {
    throw OsError(error.code().value(), "start the thread", "that looks at inputs");
  }
}

void LegLookout::stop() noexcept {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LegLookout::set_due(bool due) {
  {
    const std::lock_guard lock(mutex_);
    due_ = due;
  }
  changed_.notify_all();
}

void LegLookout::take_join_news() noexcept {
  eventfd_t looks = 0;
  ::eventfd_read(join_news_.get(), &looks);
}

/// A look that comes late does not make the next ones follow in a crowd.
void LegLookout::work() {
  using Clock = LegWatch::Clock;
  std::unique_lock lock(mutex_);
  for (auto next = Clock::now(); !stopping_;
       next = std::max(next + LegWatch::interval, Clock::now())) {
    changed_.wait(lock, [this] { return due_ || stopping_; });
    changed_.wait_until(lock, next, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    look();
    lock.lock();
  }
}

void LegLookout::look() noexcept {
  try_or_log("look at the inputs of rules", "", [this] {
    if (watch_.look(LegWatch::Clock::now())) ::eventfd_write(join_news_.get(), 1);
  });
}

}  // namespace mcr
