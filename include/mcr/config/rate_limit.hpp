// The rate limit of an output, as configured.
#pragma once

#include <cstdint>

namespace mcr {

/// Datagrams and bits of UDP payload a second; 0: no limit.
struct RateLimit {
  std::uint64_t pps = 0;
  std::uint64_t bps = 0;

  [[nodiscard]] explicit operator bool() const noexcept { return pps != 0 || bps != 0; }
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

}  // namespace mcr
