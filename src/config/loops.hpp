// Rules that feed each other in a circle: a datagram would go round until its ttl is used up.
#pragma once

#include <span>

#include "resolve.hpp"

namespace mcr {

/// Notes a mistake for every circle of two or more rules, at the output of its first rule;
/// of circles that share rules, at least one. Takes time linear in inputs and outputs as long as
/// circles are few.
void check_loops(std::span<const PlacedRule> rules, Diagnostics& diagnostics);

}  // namespace mcr
