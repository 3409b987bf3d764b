// The traffic that a rule expects.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace mcr {

/// The traffic that a rule should hear. A rule that hears less than `min_pps` for `silent_after` is
/// silent. A rule that hears enough, and not what the rest says, is degraded.
struct Expectation {
  static constexpr std::chrono::seconds default_silent_after{2};
  static constexpr std::chrono::seconds default_within{10};

  std::uint64_t min_pps = 0;  ///< datagrams a second; 0: one datagram is enough
  std::chrono::microseconds silent_after = default_silent_after;

  // Over the last `within`. Loss, continuity errors and PIDs are known of rules with `inspect`.
  std::optional<std::uint32_t> max_loss_ppm{};   ///< of a million datagrams
  std::optional<std::uint64_t> max_cc_errors{};  ///< of MPEG-TS
  std::uint64_t min_bps = 0;                     ///< bits of UDP payload a second; 0: any
  std::uint64_t max_bps = 0;                     ///< likewise
  std::vector<std::uint16_t> pids{};             ///< each must be there
  std::chrono::microseconds within = default_within;

  /// True if it says more than how many datagrams must come.
  [[nodiscard]] bool judges_quality() const noexcept {
    return max_loss_ppm || max_cc_errors || min_bps != 0 || max_bps != 0 || !pids.empty();
  }

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

}  // namespace mcr
