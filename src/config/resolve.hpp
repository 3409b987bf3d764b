// Makes rules of raw values, with every value decided.
#pragma once

#include <vector>

#include "mcr/config/interface_tuning.hpp"
#include "placed_rule.hpp"
#include "raw_rule.hpp"

namespace mcr {

/// Fills in defaults (`defaults`: the table [defaults]; `interfaces`: those of [interface]), and
/// what outputs take from their rule's input. A value that is required and missing is a mistake.
[[nodiscard]] std::vector<PlacedRule> resolve_rules(const std::vector<RawRule>& raw,
                                                    const RawOutput& defaults,
                                                    const InterfaceTunings& interfaces,
                                                    Diagnostics& diagnostics);

}  // namespace mcr
