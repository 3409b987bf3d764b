// The sums that status and the log show, over both ways and all workers, for one rule or output.
#include "mcr/rules/totals.hpp"

#include <map>

#include "mcr/base/printable.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/control/relay.hpp"

namespace mcr {

namespace {

/// The kernel copies no payload of its own way.
void add(OutputTotals& sum, const fastpath::OutputCount& kernel) {
  sum.matched += kernel.matched;
  sum.tx_datagrams += kernel.tx_datagrams;
  sum.tx_bytes += kernel.tx_bytes;
  sum.zerocopy += kernel.tx_datagrams;
  for (std::size_t i = 0; i < sum.drops.size(); ++i)
    sum.drops[i] += kernel.drops[i];
}

}  // namespace

RuleTotals Relay::totals_of(std::size_t rule) const {
  const auto slot = *slots_.rules.find(rules()[rule].name);
  RuleTotals totals;
  for (const auto& worker : workers_)
    add(totals, worker->counters().rules[slot]);
  const auto& kernel = fast_path_.counters().rules;
  if (const auto known = kernel.find(slot); known != kernel.end()) {
    totals.rx_datagrams += known->second.rx_datagrams;
    totals.rx_bytes += known->second.rx_bytes;
  }
  return totals;
}

Latency Relay::latency_of(std::size_t rule) const {
  const auto slot = *slots_.rules.find(rules()[rule].name);
  Latency sum;
  for (const auto& worker : workers_)
    worker->counters().latencies[slot].add_to(sum);
  return sum;
}

OutputTotals Relay::totals_of(std::size_t rule, std::size_t output) const {
  const auto& sends = rules()[rule].outputs[output];
  const auto destinations = sends.destinations();
  OutputTotals totals;
  for (std::size_t n = 0; n < destinations.size(); ++n) {
    const auto slot =
        *slots_.outputs.find(output_key(rules()[rule].name, sends, destinations.at(n)));
    for (const auto& worker : workers_)
      mcr::add(totals, worker->counters().outputs[slot]);
    const auto& kernel = fast_path_.counters().outputs;
    if (const auto known = kernel.find(slot); known != kernel.end()) add(totals, known->second);
  }
  return totals;
}

std::optional<Carriers::Other> Relay::carrier_of(std::size_t rule, std::size_t output) const {
  const auto& config = rules()[rule];
  if (config.circle.number == 0) return std::nullopt;
  const auto& sends = config.outputs[output];
  return loop_guard_.carriers().other(
      *slots_.outputs.find(output_key(config.name, sends, sends.destinations().at(0))));
}

Totals Relay::totals() const {
  Totals totals;
  for (const auto& worker : workers_)
    add(totals, worker->counters().worker);
  for (const auto& [interface, counted] : sockets_.counted())
    totals.kernel_drops += counted.dropped;
  const auto& kernel = fast_path_.counters().sums;
  totals.rx_datagrams += kernel.rx_datagrams;
  totals.matched += kernel.rx_datagrams;
  totals.tx_datagrams += kernel.tx_datagrams;
  for (std::size_t i = 0; i < totals.tx_drops.size(); ++i)
    totals.tx_drops[i] += kernel.tx_drops[i];
  return totals;
}

std::string Relay::summary() const {
  if (statuses().empty()) return "no rules: idle";
  std::map<RuleState, std::size_t> states;
  for (const auto& status : statuses())
    ++states[status.state];
  std::string text;
  for (const auto& [state, count] : states)
    text += text.empty() ? fmt::format("{} {}", counted(count, "rule"), to_string(state))
                         : fmt::format(", {} {}", count, to_string(state));
  return text;
}

}  // namespace mcr
