// A value that many threads read and one replaces: an RCU-style atomic pointer.
//
// Readers hold the pointer without a lock between two calls of quiescent(); the writer swaps it
// and frees the old value once every reader has been quiescent since (quiescent-state based
// reclamation: Desnoyers et al., "User-Level Implementations of Read-Copy Update", 2012).
// A reader that is about to sleep goes offline() and is not waited for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace mcr {

template <typename T>
class RcuPointer {
 public:
  class Reader;

  /// `readers`: how many Reader objects there will be, fixed for the life of the snapshot.
  RcuPointer(std::unique_ptr<const T> first, std::size_t readers)
      : current_(first.get()), owned_(std::move(first)), seen_(readers) {}

  RcuPointer(const RcuPointer&) = delete;
  RcuPointer& operator=(const RcuPointer&) = delete;

  /// Writer only. Replaces the value; the old one lives until reclaim() finds it unused.
  /// Throws std::bad_alloc, and then nothing has changed.
  void publish(std::unique_ptr<const T> next) {
    auto& retired = retired_.emplace_back();  // may throw: before a reader can see `next`
    current_.store(next.get(), std::memory_order_seq_cst);
    retired.epoch = epoch_.fetch_add(1, std::memory_order_seq_cst) + 1;
    retired.value = std::exchange(owned_, std::move(next));
  }

  /// Writer only. Frees what no reader can still see; true when nothing old is left.
  bool reclaim() {
    const auto oldest = oldest_reader();
    while (!retired_.empty() && retired_.front().epoch <= oldest)
      retired_.pop_front();
    return retired_.empty();
  }

  /// Writer only. Waits until nothing old is left, or the time is over; true in the first case.
  bool wait_until_reclaimed(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!reclaim()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
  }

  /// Writer only: the value as last published.
  [[nodiscard]] const T& latest() const noexcept { return *owned_; }

 private:
  static constexpr std::uint64_t offline_mark = std::numeric_limits<std::uint64_t>::max();

  struct alignas(64) Seen {
    std::atomic<std::uint64_t> epoch{offline_mark};
  };
  struct Retired {
    std::uint64_t epoch = 0;
    std::unique_ptr<const T> value;
  };

  [[nodiscard]] std::uint64_t oldest_reader() const noexcept {
    auto oldest = offline_mark;
    for (const auto& seen : seen_)
      oldest = std::min(oldest, seen.epoch.load(std::memory_order_seq_cst));
    return oldest;
  }

  std::atomic<const T*> current_;
  std::atomic<std::uint64_t> epoch_{0};
  std::unique_ptr<const T> owned_;
  std::deque<Retired> retired_;
  std::vector<Seen> seen_;
};

/// One thread's way to read. Starts offline; every method is for that thread alone.
template <typename T>
class RcuPointer<T>::Reader {
 public:
  /// `index`: below the `readers` of the constructor, another for each Reader.
  Reader(RcuPointer& snapshot, std::size_t index) noexcept
      : pointer_(&snapshot), seen_(&snapshot.seen_[index].epoch) {}

  /// From here on current() may be called. Sequentially consistent with publish(): either the
  /// writer sees this reader, or this reader sees the new value.
  void online() noexcept {
    seen_->store(pointer_->epoch_.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
  }

  /// The value, valid until the next quiescent() or offline().
  [[nodiscard]] const T& current() const noexcept {
    return *pointer_->current_.load(std::memory_order_seq_cst);
  }

  /// No reference from current() is held any more.
  void quiescent() noexcept {
    seen_->store(pointer_->epoch_.load(std::memory_order_acquire), std::memory_order_release);
  }

  /// As quiescent(), and none will be taken before online().
  void offline() noexcept { seen_->store(offline_mark, std::memory_order_release); }

 private:
  RcuPointer* pointer_;
  std::atomic<std::uint64_t>* seen_;
};

}  // namespace mcr
