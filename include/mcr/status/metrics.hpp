// The metrics as Prometheus reads them (text format 0.0.4), from the totals that status shows.
//
// Labels come from the configuration only, so that there are never more series than it has rules,
// outputs and interfaces; a reason of a rule or an output is a series from its first drop on (the
// totals have every reason from the start). Counters are exact integers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/destinations.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/status/totals.hpp"

namespace mcr {

/// Of one output. Borrows the name.
struct OutputMetrics {
  std::string_view interface;
  Destinations destination;
  bool up = false;
  OutputTotals totals;
};

/// Of one rule. Borrows the name.
struct RuleMetrics {
  std::string_view name;
  RuleState state = RuleState::active;
  RuleTotals totals;
  std::vector<OutputMetrics> outputs;
};

/// `process`: the object of `mcr status --json` without its rules; of the memberships it has
/// "states", {STATE: number of groups}, in the place of "groups". What is missing there is left
/// out. Ends with a newline.
[[nodiscard]] std::string render_metrics(const nlohmann::json& process,
                                         std::span<const RuleMetrics> rules);

}  // namespace mcr
