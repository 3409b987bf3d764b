// Proves that a rule's datagrams come back to it by way of other hosts. Theory in return_probe.cpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace mcr {

/// One for a rule. Any worker, without a lock; times are CLOCK_MONOTONIC in ns. All zeroes: nothing
/// was tried yet.
class ReturnProbe {
 public:
  /// A datagram is held for two of its trips, and so long, by chance between these.
  static constexpr std::chrono::milliseconds least_hold{50};
  static constexpr std::chrono::milliseconds most_hold{110};
  /// A copy that follows its release within two trips and this time is its echo.
  static constexpr std::chrono::milliseconds returns_within{5};
  /// So many times in a row.
  static constexpr std::uint32_t proof = 8;
  /// So many times in a row it came while it was held: its sender repeats itself.
  static constexpr std::uint32_t disproof = 3;
  /// One repetition in so many is held, if three in four of the last few hundred datagrams had come
  /// before.
  static constexpr std::uint64_t chance = 16;

  struct Answer {
    bool returned = false;      ///< proven: it is what the rule itself has sent
    std::uint64_t hold_ns = 0;  ///< not 0: hold it so long, then say so with released()
  };

  /// A datagram has come, before or after repeated(); `again`: not for the first time.
  void came(bool again) noexcept;
  /// A datagram with this hash has come, and its sender has sent it before, up to `trip_ns` ago.
  [[nodiscard]] Answer repeated(std::uint64_t payload, std::uint64_t trip_ns,
                                std::uint64_t now_ns) noexcept;
  /// The held datagram with this hash goes on.
  void released(std::uint64_t payload, std::uint64_t now_ns) noexcept;
  void clear() noexcept;

  /// How often it was proven.
  [[nodiscard]] std::uint32_t proofs() const noexcept {
    return proofs_.load(std::memory_order_relaxed);
  }
  /// The sender repeats itself: its datagrams came although they did not go on. Nothing was proven.
  [[nodiscard]] bool refuted() const noexcept { return refuted_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] Answer begin(std::uint64_t payload, std::uint64_t trip_ns,
                             std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool count_return() noexcept;
  void count_intrusion() noexcept;

  std::atomic<std::uint32_t> share_{0};       ///< of datagrams that come again, in 2^-16
  std::atomic<std::uint64_t> longest_{0};     ///< trip of late, ns
  std::atomic<std::uint64_t> payload_{0};     ///< that is held, or comes back; 0: none
  std::atomic<std::uint64_t> trip_{0};        ///< that it takes, ns
  std::atomic<std::uint64_t> due_{0};         ///< when it goes on
  std::atomic<std::uint64_t> released_{0};    ///< when it went on; 0: it is held
  std::atomic<bool> intruded_{false};         ///< it came while it was held
  std::atomic<std::uint32_t> returns_{0};     ///< in a row
  std::atomic<std::uint32_t> intrusions_{0};  ///< in a row
  std::atomic<std::uint32_t> proofs_{0};
  std::atomic<bool> refuted_{false};
};

}  // namespace mcr
