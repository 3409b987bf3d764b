// The checks that need all rules together: names and inputs that exist twice, outputs that come
// back in, totals above the limits.
#pragma once

#include <vector>

#include "placed_rule.hpp"

namespace mcr {

/// Adds a diagnostic for each mistake, and finds the circles (loops.hpp). The time is linear in
/// inputs, sources and outputs, but for a logarithm for sources.
void check_rules(std::vector<PlacedRule>& rules, Diagnostics& diagnostics);

/// Finds the circles of rules that are good together.
void number_circles(std::vector<PlacedRule>& rules);

}  // namespace mcr
