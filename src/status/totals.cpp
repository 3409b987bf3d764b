#include "mcr/status/totals.hpp"

#include <cstddef>

namespace mcr {

namespace {

void add_drops(auto& sum, const auto& drops) noexcept {
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] += drops.values()[i].get();
}

}  // namespace

void add(RuleTotals& sum, const RuleCounters& counters) noexcept {
  sum.rx_datagrams += counters.rx_datagrams.get();
  sum.rx_bytes += counters.rx_bytes.get();
  add_drops(sum.drops, counters.drops);
}

void add(OutputTotals& sum, const OutputCounters& counters) noexcept {
  sum.matched += counters.matched.get();
  sum.in_flight += counters.in_flight.get();
  sum.tx_datagrams += counters.tx_datagrams.get();
  sum.tx_bytes += counters.tx_bytes.get();
  sum.zerocopy += counters.zerocopy.get();
  sum.copied += counters.copied.get();
  add_drops(sum.drops, counters.drops);
}

}  // namespace mcr
