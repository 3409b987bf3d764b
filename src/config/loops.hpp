// Finds rules that feed each other in a circle: they may hear again what they have sent.
#pragma once

#include <cstdint>
#include <span>

#include "placed_rule.hpp"

namespace mcr {

/// Sets Rule::circle of the rules in each circle, numbered from 1, and returns how many circles
/// there are. A rule whose output is its own input is a circle, too. The time is linear in inputs
/// and outputs, but for a logarithm for sources.
std::uint32_t find_circles(std::span<PlacedRule> rules);

}  // namespace mcr
