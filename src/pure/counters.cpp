#include "mcr/counters.hpp"

namespace mcr {

bool at_rest(const OutputCounters& counters) noexcept {
  return counters.in_flight.get() == 0 &&
         counters.tx_datagrams.get() == counters.zerocopy.get() + counters.copied.get();
}

void clear(RuleCounters& counters) noexcept {
  for (auto* counter :
       {&counters.rx_datagrams, &counters.rx_bytes, &counters.last_seen_ns, &counters.last_source})
    counter->set(0);
  counters.drops.clear();
}

void clear(OutputCounters& counters) noexcept {
  for (auto* counter : {&counters.matched, &counters.in_flight, &counters.tx_datagrams,
                        &counters.tx_bytes, &counters.zerocopy, &counters.copied})
    counter->set(0);
  counters.drops.clear();
}

}  // namespace mcr
