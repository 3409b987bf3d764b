#include "mcr/redundancy/leg.hpp"

#include <algorithm>

namespace mcr::redundancy {

std::uint64_t Skew::least_of(std::size_t bucket) noexcept {
  if (bucket < 8) return bucket;
  const auto octave = bucket / 4 - 1;
  return (4 + bucket % 4) << octave;
}

void Skew::turn(std::uint64_t now_ns) noexcept {
  began_ns_ = now_ns;
  auto& next = windows_[(turn_.get() + 1) & 1U];
  for (auto& count : next.counts)
    count.set(0);
  next.total.set(0);
  next.most_us.set(0);
  turn_.add(1);
}

std::uint64_t Skew::median_us() const noexcept {
  const auto& window = windows_[windows_[0].total.get() < windows_[1].total.get() ? 1 : 0];
  const auto half = (window.total.get() + 1) / 2;
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    seen += window.counts[bucket].get();
    if (seen >= half) return seen == 0 ? 0 : least_of(bucket);
  }
  return 0;
}

std::uint64_t Skew::most_us() const noexcept {
  return std::max(windows_[0].most_us.get(), windows_[1].most_us.get());
}

}  // namespace mcr::redundancy
