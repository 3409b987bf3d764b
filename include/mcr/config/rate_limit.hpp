// How much may leave by an output.
#pragma once

#include <cstdint>

namespace mcr {

/// As configured; 0: no limit. Bits are those of the UDP payload.
struct RateLimit {
  std::uint64_t pps = 0;
  std::uint64_t bps = 0;

  [[nodiscard]] explicit operator bool() const noexcept { return pps != 0 || bps != 0; }
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

}  // namespace mcr
