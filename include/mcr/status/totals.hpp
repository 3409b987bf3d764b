// What all workers counted of one rule or output, added up: the one source of both status and
// metrics. Datagrams; bytes are UDP payload. Plain values, for the control thread.
#pragma once

#include <array>
#include <cstdint>

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
};

/// Adds one worker's counters.
void add(RuleTotals& sum, const RuleCounters& counters) noexcept;
void add(OutputTotals& sum, const OutputCounters& counters) noexcept;

}  // namespace mcr
