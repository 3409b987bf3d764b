// A rule and the places in the files that mistakes in it are reported at.
#pragma once

#include <vector>

#include "diagnostics.hpp"
#include "mcr/config/rule.hpp"

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

}  // namespace mcr
