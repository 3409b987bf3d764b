// The counters of one leg: one of the inputs of a rule with `merge` or `failover`.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "mcr/base/counter.hpp"

namespace mcr::redundancy {

/// How much later than the first copy a leg's datagrams come, in the last ten seconds or so. One
/// thread writes, any reads; a reader may see a window half cleared. Valid as all zeroes.
class Skew {
 public:
  static constexpr std::uint64_t window_ns = 10'000'000'000;

  void add(std::uint64_t skew_us, std::uint64_t now_ns) noexcept {
    if (now_ns - began_ns_ >= window_ns) [[unlikely]]
      turn(now_ns);
    auto& window = windows_[turn_.get() & 1U];
    window.counts[bucket_of(skew_us)].add(1);
    window.total.add(1);
    if (skew_us > window.most_us.get()) window.most_us.set(skew_us);
  }

  /// Delays in us, from the fuller of this window and the one before.
  [[nodiscard]] std::uint64_t median_us() const noexcept;
  [[nodiscard]] std::uint64_t most_us() const noexcept;

 private:
  /// Four buckets an octave.
  static constexpr std::size_t buckets = 104;
  struct Window {
    std::array<Counter, buckets> counts;
    Counter total;
    Counter most_us;
  };

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t skew_us) noexcept {
    if (skew_us < 4) return skew_us;
    const auto octave = static_cast<std::size_t>(std::bit_width(skew_us)) - 3;
    return std::min(4 * octave + (skew_us >> octave), buckets - 1);
  }
  [[nodiscard]] static std::uint64_t least_of(std::size_t bucket) noexcept;
  void turn(std::uint64_t now_ns) noexcept;

  std::uint64_t began_ns_ = 0;
  Counter turn_;  ///< its lowest bit: the window that is being filled
  std::array<Window, 2> windows_;
};

/// Datagrams, but for what says numbers. Written by the worker of the rule's lane. Valid as all
/// zeroes. received = unique + duplicates + late + standby.
struct Leg {
  Counter received;
  Counter unique;      ///< went on
  Counter duplicates;  ///< another leg was faster, or this one said it twice
  Counter late;        ///< came after their number was forgotten
  Counter standby;     ///< the leg was not on air
  Counter last_ns;     ///< CLOCK_MONOTONIC at the batch of its last datagram; 0: none yet
  // Merged ones only.
  Counter numbers;  ///< that it brought, each once
  Counter before;   ///< numbers of the stream before it brought its first one
  Counter reached;  ///< numbers of the stream up to its last one
  Counter aside;    ///< not 0: it brings another stream, or another content
  Skew skew;
};

}  // namespace mcr::redundancy
