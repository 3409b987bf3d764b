// From what was raw to rules in which every value is decided.
#pragma once

#include <vector>

#include "reader.hpp"

namespace mcr {

/// A rule with only those inputs and outputs that were read without a mistake, and their places.
struct PlacedRule {
  Rule rule;         ///< the name is empty if none is given and none can be made
  Position name_at;  ///< of the rule, if it has no name of its own
  bool named = false;
  std::vector<Position> inputs_at;   ///< one an input
  std::vector<Position> outputs_at;  ///< one an output
};

/// Fills in defaults and what outputs take from their input; what is missing is a mistake.
[[nodiscard]] std::vector<PlacedRule> resolve_rules(const RawConfig& raw, Diagnostics& diagnostics);

}  // namespace mcr
