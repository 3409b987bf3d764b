// Finds the rules that are part of a ring over several hosts: A to B here, B to C and C to A on
// others. One for all workers. Theory in ring_watch.cpp.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "mcr/base/mapping.hpp"
#include "mcr/packet/echo_memory.hpp"
#include "mcr/rules/counters.hpp"

namespace mcr {

/// For any worker, without a lock. Rules are named by the slots of their counters; times are
/// CLOCK_MONOTONIC, ns.
class RingWatch {
 public:
  /// A worker gives a sample at most so often.
  static constexpr std::chrono::microseconds pace{200};
  /// A payload that comes so often from another sender than at first goes round.
  static constexpr std::uint64_t rounds = 3;
  /// A rule is guarded for so long after the last echo.
  static constexpr std::chrono::seconds lasts{60};

  /// One datagram that the rule takes. `payload`, `origin`: hashes, as for EchoMemory.
  void sample(std::uint32_t rule, std::uint64_t payload, std::uint64_t origin,
              std::uint64_t now_ns) noexcept;
  /// An echo was stopped.
  void prolong(std::uint32_t rule, std::uint64_t now_ns) noexcept;

  /// True if some rule is in a ring.
  [[nodiscard]] bool any(std::uint64_t now_ns) const noexcept {
    return now_ns < until_ns_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool has(std::uint32_t rule, std::uint64_t now_ns) const noexcept {
    return now_ns < rules_[rule].load(std::memory_order_relaxed);
  }
  /// For the next rule that gets this slot, while no worker uses it.
  void clear(std::uint32_t rule) noexcept { rules_[rule].store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::size_t counts = 1024;

  EchoMemory samples_;
  /// By a payload's hash: a part of it, and its echoes. Of two that share a place the later one
  /// stays.
  std::array<std::atomic<std::uint64_t>, counts> echoes_{};
  std::atomic<std::uint64_t> until_ns_{0};
  Mapping<std::atomic<std::uint64_t>> rules_{slots::rules};  ///< when each is guarded no more
};

}  // namespace mcr
