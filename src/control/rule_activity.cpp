#include "mcr/control/rule_activity.hpp"

namespace mcr {

RuleActivity activity_of(const SocketPool::Workers& workers, const fastpath::FastCounters& kernel,
                         std::uint32_t rule_slot) {
  RuleActivity sum;
  std::uint64_t last_seen = 0;
  if (const auto known = kernel.rules.find(rule_slot); known != kernel.rules.end()) {
    sum.datagrams = known->second.rx_datagrams;
    sum.bytes = known->second.rx_bytes;
    sum.last_source = known->second.last_source;
    last_seen = known->second.last_seen_ns;
  }
  for (const auto& worker : workers) {
    const auto& counters = worker->counters().rules[rule_slot];
    sum.datagrams += counters.rx_datagrams.get();
    sum.bytes += counters.rx_bytes.get();
    if (counters.last_seen_ns.get() <= last_seen) continue;
    last_seen = counters.last_seen_ns.get();
    sum.last_source = counters.last_source.get();
  }
  if (last_seen != 0)
    sum.last_seen = RuleActivity::Clock::time_point(std::chrono::nanoseconds(last_seen));
  return sum;
}

void RuleRates::sample(const SlotAllocators& slots, const SocketPool::Workers& workers,
                       const fastpath::FastCounters& kernel, double seconds) {
  if (seconds <= 0) return;
  for (const auto& [rule, slot] : slots.rules.entries()) {
    const auto now = activity_of(workers, kernel, slot);
    auto& sample = samples_[slot];
    sample.rate.pps = static_cast<double>(now.datagrams - sample.datagrams) / seconds;
    sample.rate.bps = 8 * static_cast<double>(now.bytes - sample.bytes) / seconds;
    sample.datagrams = now.datagrams;
    sample.bytes = now.bytes;
  }
}

}  // namespace mcr
