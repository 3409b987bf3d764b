// A counter with one writer and any readers. Its writer is the only one, so it adds by a load and a
// store. A reader that shows values needs no order.
#pragma once

#include <atomic>
#include <cstdint>

namespace mcr {

/// A 64-bit counter that one thread adds to and others read; relaxed, if nothing else is said.
class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  /// A thread that reads the new value by get_last() also sees all that was written before it.
  void add_last(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
  void subtract_last(std::uint64_t n) noexcept { add_last(0 - n); }
  [[nodiscard]] std::uint64_t get_last() const noexcept {
    return value_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace mcr
