// Turns raw values into rules in which every value is decided.
#pragma once

#include <vector>

#include "reader.hpp"

namespace mcr {

/// A rule and the positions of its parts. It has only the inputs and outputs that were read without
/// a mistake.
struct PlacedRule {
  Rule rule;           ///< its name is empty if the user gave none and none can be made
  Position name_at;    ///< the position of the rule, if the user gave no name
  bool named = false;  ///< the user gave a name
  std::vector<Position> inputs_at;   ///< one for each input
  std::vector<Position> outputs_at;  ///< one for each output
};

/// Fills in defaults, and what outputs take from their rule's input. A value that is required and
/// missing is a mistake.
[[nodiscard]] std::vector<PlacedRule> resolve_rules(const RawConfig& raw, Diagnostics& diagnostics);

}  // namespace mcr
