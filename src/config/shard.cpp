#include "mcr/config/shard.hpp"

#include "mcr/base/hash.hpp"

namespace mcr {

namespace {

/// The finalizer of SplitMix64: each bit of the result depends on all bits of `value`.
std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111eb;
  return value ^ (value >> 31U);
}

}  // namespace

std::uint32_t shard_of(std::string_view rule, std::uint32_t shards) noexcept {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
  const auto hash = hash_of(rule);
  std::uint32_t heaviest = 1;
  std::uint64_t most = 0;
  for (std::uint32_t shard = 1; shard <= shards; ++shard) {
    const auto weight = mix(hash + shard * golden);
    if (weight <= most) continue;
    most = weight;
    heaviest = shard;
  }
  return heaviest;
}

bool Shard::takes(std::string_view rule) const noexcept {
  return shard_of(rule, of) == number;
}

}  // namespace mcr
