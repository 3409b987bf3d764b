// Makes rules of reflectors.
#pragma once

#include <vector>

#include "mcr/config/reflector.hpp"
#include "placed_rule.hpp"
#include "reader.hpp"

namespace mcr {

/// Appends the rules of all reflectors to `rules`; those with a mistake have a diagnostic and may
/// be left out.
[[nodiscard]] std::vector<Reflector> expand_reflectors(const RawConfig& raw,
                                                       Diagnostics& diagnostics,
                                                       std::vector<PlacedRule>& rules);

}  // namespace mcr
