// How much traffic a rule expects.
#pragma once

#include <chrono>
#include <cstdint>

namespace mcr {

/// The traffic that a rule should hear. A rule that hears less for `silent_after` is silent.
struct Expectation {
  static constexpr std::chrono::seconds default_silent_after{2};

  std::uint64_t min_pps = 0;  ///< datagrams a second; 0: one datagram is enough
  std::chrono::microseconds silent_after = default_silent_after;

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

}  // namespace mcr
