#include "mcr/rules/totals.hpp"

#include <fmt/format.h>

#include <cstddef>

namespace mcr {

namespace {

void add_drops(auto& sum, const auto& drops) noexcept {
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] += drops.values()[i].get();
}

std::string drops_text(const auto& counts, const auto& names) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) text += fmt::format(", {} {}", names[i], counts[i]);
  return text;
}

}  // namespace

std::string Totals::str() const {
  return fmt::format("received {} datagrams, matched {}, unmatched {}, sent {}, kernel drops {}",
                     rx_datagrams, matched, unmatched, tx_datagrams, kernel_drops) +
         drops_text(drops, input_drop_names) + drops_text(tx_drops, output_drop_names);
}

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
  if (const auto code = counters.last_refusal.get(); code != 0) sum.last_refusal = code;
}

void add(Totals& sum, const WorkerCounters& counters) noexcept {
  sum.rx_datagrams += counters.rx_datagrams.get();
  sum.matched += counters.matched.get();
  sum.unmatched += counters.unmatched.get();
  sum.tx_datagrams += counters.tx_datagrams.get();
  add_drops(sum.drops, counters.drops);
  add_drops(sum.tx_drops, counters.tx_drops);
}

}  // namespace mcr
