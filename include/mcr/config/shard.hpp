// Shares rules among several relays that all have the same files: rendezvous hashing (Thaler and
// Ravishankar, 1996). Each shard has a weight for each rule's name, and the largest takes it. So
// one shard more takes over 1/N of the rules, and no other rule moves.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcr {

/// [daemon] shard = "2/5": the second of five.
struct Shard {
  std::uint32_t number = 1;  ///< from 1 to `of`
  std::uint32_t of = 1;

  /// True if this shard takes the rule of that name. The answer is the same on all hosts, in all
  /// versions of MCR.
  [[nodiscard]] bool takes(std::string_view rule) const noexcept;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// The shard of so many (at least 1) that takes the rule of that name, from 1.
[[nodiscard]] std::uint32_t shard_of(std::string_view rule, std::uint32_t shards) noexcept;

}  // namespace mcr
