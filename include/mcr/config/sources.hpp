// The senders that an input takes, as ranges of addresses: what the keys `sources = ["10.1.0.0/24",
// "!10.1.0.5"]` mean.
#pragma once

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

struct Input;

/// All addresses from `first` to `last`, both included, of one family.
struct SourceRange {
  IpAddress first;
  IpAddress last;

  friend bool operator==(const SourceRange&, const SourceRange&) = default;
};

/// Sorted and disjoint. Empty: every sender is taken. An input that leaves out all that it names
/// has the one range of no address, which contains nothing; such a configuration is refused.
[[nodiscard]] std::vector<SourceRange> source_ranges(const Input& input);

/// True if one of the ranges, which are sorted and disjoint, has the address in it.
[[nodiscard]] inline bool contains(std::span<const SourceRange> ranges,
                                   const IpAddress& address) noexcept {
  const auto next = std::ranges::upper_bound(ranges, address, {}, &SourceRange::first);
  return next != ranges.begin() && address <= std::prev(next)->last;
}

/// Each as the configuration writes it, those that are left out with "!".
[[nodiscard]] std::vector<std::string> source_texts(const Input& input);

}  // namespace mcr
