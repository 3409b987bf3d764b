#include "mcr/rules/counters.hpp"

namespace mcr {

bool at_rest(const OutputCounters& counters) noexcept {
  // In this order: once nothing is in flight, tx_datagrams grows no more.
  if (counters.in_flight.get_last() != 0) return false;
  const auto sent = counters.tx_datagrams.get();
  return sent == counters.zerocopy.get_last() + counters.copied.get_last();
}

void clear(RuleCounters& counters) noexcept {
  for (auto* counter : {&counters.rx_datagrams, &counters.rx_bytes, &counters.last_seen_ns})
    counter->set(0);
  counters.last_source.clear();
  counters.drops.clear();
}

void clear(OutputCounters& counters) noexcept {
  for (auto* counter :
       {&counters.matched, &counters.in_flight, &counters.tx_datagrams, &counters.tx_bytes,
        &counters.zerocopy, &counters.copied, &counters.refused, &counters.last_refusal})
    counter->set(0);
  counters.drops.clear();
}

}  // namespace mcr
