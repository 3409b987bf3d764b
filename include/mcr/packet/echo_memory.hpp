// The memory of payloads that were relayed lately, by which an echo is known: the same bytes that
// come back from somebody else. Theory in echo_memory.cpp.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/base/mapping.hpp"

namespace mcr {

/// A hash of these bytes. `key` differs from run to run, so that nobody can choose payloads that
/// share one.
[[nodiscard]] std::uint64_t payload_hash(std::span<const std::byte> payload,
                                         std::uint64_t key) noexcept;

/// For any worker, without a lock. All zeroes is an empty memory.
class EchoMemory {
 public:
  /// A payload is known for so long after its origin last sent it; longer where its sender is
  /// suspected, since echoes may come late.
  static constexpr std::chrono::milliseconds window{500};
  static constexpr std::chrono::milliseconds long_window{2000};
  /// Its origin's own repetition hardly comes sooner than this.
  static constexpr std::chrono::milliseconds gap{100};
  /// Payloads known at once. Of those that share a bucket the oldest is forgotten first.
  static constexpr std::size_t buckets = 8192;
  static constexpr std::size_t ways = 8;
  /// The time is known to this.
  static constexpr std::uint64_t tick_ns = 4'000'000;

  enum class Sight : std::uint8_t {
    first,   ///< not known: now it is, from this origin
    repeat,  ///< known, and its origin sends it again
    echo,    ///< known from another origin
  };

  struct Sighting {
    Sight what = Sight::first;
    std::uint64_t age_ns = 0;  ///< of a repeat: since the one before it, to a tick
  };

  struct Caution {
    bool long_window = false;
    /// A repetition that comes sooner than this is taken for a relay's copy.
    std::chrono::milliseconds gap{0};
  };

  /// `payload`: its hash. `origin`: a hash of where it arrived and who sent it. `now_ns`:
  /// CLOCK_MONOTONIC; it may lag behind another worker's.
  Sighting see(std::uint64_t payload, std::uint64_t origin, std::uint64_t now_ns,
               Caution caution) noexcept;

 private:
  using Bucket = std::array<std::atomic<std::uint64_t>, ways>;

  Mapping<Bucket> buckets_{buckets};
};

}  // namespace mcr
