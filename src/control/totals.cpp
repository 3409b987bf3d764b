// The sums that status and the log show, over all workers and for one rule or output.
#include "mcr/rules/totals.hpp"

#include <map>

#include "mcr/control/relay.hpp"
#include "mcr/control/reload.hpp"

namespace mcr {

RuleTotals Relay::totals_of(std::size_t rule) const {
  const auto slot = *slots_.rules.find(running_->config.rules[rule].name);
  RuleTotals totals;
  for (const auto& worker : workers_)
    add(totals, worker->counters().rules[slot]);
  return totals;
}

OutputTotals Relay::totals_of(std::size_t rule, std::size_t output) const {
  const auto& sends = running_->config.rules[rule].outputs[output];
  const auto destinations = sends.destinations();
  OutputTotals totals;
  for (std::size_t n = 0; n < destinations.size(); ++n) {
    const auto slot = *slots_.outputs.find(
        {running_->config.rules[rule].name, sends.interface, destinations.at(n)});
    for (const auto& worker : workers_)
      add(totals, worker->counters().outputs[slot]);
  }
  return totals;
}

Totals Relay::totals() const {
  Totals totals;
  for (const auto& worker : workers_)
    add(totals, worker->counters().worker);
  for (const auto& [interface, counted] : sockets_.counted())
    totals.kernel_drops += counted.dropped;
  return totals;
}

std::string Relay::summary() const {
  if (running_->statuses.empty()) return "no rules: idle";
  std::map<RuleState, std::size_t> states;
  for (const auto& status : running_->statuses)
    ++states[status.state];
  std::string text;
  for (const auto& [state, count] : states)
    text += fmt::format("{}{}{} {}", text.empty() ? "" : ", ", count, text.empty() ? " rules" : "",
                        to_string(state));
  return text;
}

}  // namespace mcr
