// The relay in metrics: the same totals as in report.cpp, for Prometheus.
#include <map>
#include <nlohmann/json.hpp>

#include "mcr/control/relay.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// {STATE: number of groups}
json count_states(const Memberships& memberships) {
  std::map<MembershipState, std::size_t> counts;
  for (const auto& [group, membership] : memberships.all())
    ++counts[membership.state];
  json states;
  for (const auto state :
       {MembershipState::waiting_interface, MembershipState::joining, MembershipState::joined,
        MembershipState::failed, MembershipState::leaving})
    states[std::string(to_string(state))] = counts[state];
  return states;
}

}  // namespace

std::vector<RuleMetrics> Relay::rule_metrics() const {
  std::vector<RuleMetrics> rules;
  rules.reserve(config_.rules.size());
  for (std::size_t i = 0; i < config_.rules.size(); ++i) {
    const auto& rule = config_.rules[i];
    RuleMetrics metrics{
        rule.name, state_of_rule(i, *slots_.rules.find(rule.name)), totals_of(rule), {}};
    metrics.outputs.reserve(rule.outputs.size());
    for (std::size_t o = 0; o < rule.outputs.size(); ++o) {
      const auto& output = rule.outputs[o];
      metrics.outputs.push_back({output.interface, output.destinations(),
                                 statuses_[i].output_reasons[o].empty(), totals_of(rule, output)});
    }
    rules.push_back(std::move(metrics));
  }
  return rules;
}

std::string Relay::metrics(json process, const std::vector<LinkStats>& links) {
  sockets_.count();
  process["workers"] = report_workers();
  process["interfaces"] = report_interfaces(links);
  process["membership"] = report_joins();
  process["membership"]["states"] = count_states(memberships_);
  process["totals"] = report_totals();
  return render_metrics(process, rule_metrics());
}

}  // namespace mcr
