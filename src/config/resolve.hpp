// Makes rules of raw values, with every value decided.
#pragma once

#include <vector>

#include "placed_rule.hpp"
#include "raw_config.hpp"

namespace mcr {

/// Fills in defaults, and what outputs take from their rule's input. A value that is required and
/// missing is a mistake.
[[nodiscard]] std::vector<PlacedRule> resolve_rules(const RawConfig& raw, Diagnostics& diagnostics);

}  // namespace mcr
