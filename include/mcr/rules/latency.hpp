// How long datagrams of a rule stay in this relay, as a histogram with buckets that double.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "mcr/base/counter.hpp"

namespace mcr {

/// One in so many frames of a rule with `inspect` is timed, on each worker.
inline constexpr std::uint32_t latency_sample = 64;

/// As a value: counts by bucket.
struct Latency {
  static constexpr std::size_t buckets = 21;

  std::array<std::uint64_t, buckets> counts{};
  std::uint64_t sum_ns = 0;

  /// A bucket has what took more than the bound before it and at most its own: 1 us, 2 us, 4 us ...
  /// 0.52 s. The last one has no bound.
  [[nodiscard]] static constexpr std::uint64_t bound_ns(std::size_t bucket) noexcept {
    return std::uint64_t{1000} << bucket;
  }
  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    const auto us = (ns + 999) / 1000;
    return us <= 1 ? 0 : std::min<std::size_t>(std::bit_width(us - 1), buckets - 1);
  }

  [[nodiscard]] std::uint64_t samples() const noexcept {
    std::uint64_t sum = 0;
    for (const auto count : counts)
      sum += count;
    return sum;
  }
  /// The bound of the bucket that a share of the samples (0.99, say) does not exceed; of the last
  /// one that of the bucket before it. 0 without samples.
  [[nodiscard]] std::uint64_t quantile_ns(double share) const noexcept {
    const auto wanted = share * static_cast<double>(samples());
    double seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += static_cast<double>(counts[i]);
      if (counts[i] != 0 && seen >= wanted) return bound_ns(std::min(i, buckets - 2));
    }
    return 0;
  }

  friend bool operator==(const Latency&, const Latency&) = default;
};

/// One worker writes, any thread reads.
class LatencyCounters {
 public:
  void add(std::uint64_t ns) noexcept {
    counts_[Latency::bucket_of(ns)].add(1);
    sum_ns_.add(ns);
  }
  void add_to(Latency& sum) const noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      sum.counts[i] += counts_[i].get();
    sum.sum_ns += sum_ns_.get();
  }
  /// For the slot's next owner. What was never written stays untouched.
  void clear() noexcept {
    if (sum_ns_.get() == 0) return;
    for (auto& count : counts_)
      count.set(0);
    sum_ns_.set(0);
  }

 private:
  std::array<Counter, Latency::buckets> counts_;
  Counter sum_ns_;
};

}  // namespace mcr
