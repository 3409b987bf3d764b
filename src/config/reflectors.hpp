// Makes rules of reflectors.
#pragma once

#include <vector>

#include "mcr/config/reflector.hpp"
#include "placed_rule.hpp"
#include "raw_rule.hpp"

namespace mcr {

/// `defaults`: the table [defaults]. Appends the rules of all reflectors to `rules`; those with a
/// mistake have a diagnostic and may be left out.
[[nodiscard]] std::vector<Reflector> expand_reflectors(const std::vector<RawReflector>& raw,
                                                       const RawOutput& defaults,
                                                       Diagnostics& diagnostics,
                                                       std::vector<PlacedRule>& rules);

}  // namespace mcr
