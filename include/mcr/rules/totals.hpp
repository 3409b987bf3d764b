// Sums over all workers of what they counted: of one rule, one output, or all. Datagrams; bytes are
// UDP payload. Plain values, for the control thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "mcr/rules/counters.hpp"

namespace mcr {

struct RuleTotals {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t rx_bytes = 0;
  std::array<std::uint64_t, input_drop_names.size()> drops{};  ///< by InputDrop
};

/// matched = tx_datagrams + sum(drops) + in_flight, once no worker is counting.
struct OutputTotals {
  std::uint64_t matched = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t tx_datagrams = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t zerocopy = 0;
  std::uint64_t copied = 0;
  std::array<std::uint64_t, output_drop_names.size()> drops{};  ///< by OutputDrop
  std::uint64_t last_refusal = 0;                               ///< RefusalCode of some worker
};

/// Sums of the whole relay; they include rules that were removed.
/// rx_datagrams = matched + unmatched + sum(drops).
struct Totals {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t matched = 0;
  std::uint64_t unmatched = 0;
  std::array<std::uint64_t, input_drop_names.size()> drops{};  ///< by InputDrop
  std::uint64_t kernel_drops = 0;  ///< frames for which a socket had no room; no worker counts them
  std::uint64_t tx_datagrams = 0;
  std::array<std::uint64_t, output_drop_names.size()> tx_drops{};  ///< by OutputDrop

  /// "received 7 datagrams, matched 6, unmatched 0, sent 6, kernel drops 0, fragment 1": of the
  /// drops those that happened.
  [[nodiscard]] std::string str() const;
};

/// Adds one worker's counters.
void add(RuleTotals& sum, const RuleCounters& counters) noexcept;
void add(OutputTotals& sum, const OutputCounters& counters) noexcept;
void add(Totals& sum, const WorkerCounters& counters) noexcept;

}  // namespace mcr
