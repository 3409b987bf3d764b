// Finds rules that feed each other in a circle. A datagram in it would go round for ever, or until
// its TTL is used up.
#pragma once

#include <span>

#include "placed_rule.hpp"

namespace mcr {

/// Adds a diagnostic for every circle of two or more rules, at the output of its first rule. If
/// circles share rules, at least one of them is reported. The time is linear in inputs and outputs
/// as long as circles are few.
void check_loops(std::span<const PlacedRule> rules, Diagnostics& diagnostics);

}  // namespace mcr
