// What only shows when all rules are seen together: names and inputs that exist twice, outputs that
// come back in.
#pragma once

#include <span>

#include "resolve.hpp"

namespace mcr {

/// Takes time linear in inputs, sources and outputs.
void check_rules(std::span<const PlacedRule> rules, Diagnostics& diagnostics);

}  // namespace mcr
