// The relay as the page of the metrics endpoint shows it: small enough to be asked for every second
// with 10,000 rules. Rules are columns, one array a value, in the order of the configuration.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// The document of `mcr status --json`, but with {COLUMN: [one value a rule]} as its "rules", and
/// of the memberships only some of those that are not joined.
///
///   name, input, output   texts; left out where `known` is the generation: only a reload changes
///                         them
///   state, path, note     indexes into "states", "paths" and "notes"; a note says what is wrong
///   attention             0 or 1: whether something is
///   rate_pps, rate_bps    of the last second, whole numbers
///   tx_datagrams, drops   since the rule began: sent by all outputs; dropped by input and outputs
///   last_seen_s           null: never
[[nodiscard]] nlohmann::json overview(const Status& status, Count known);

/// {"input":{REASON:{"meaning","remedy"}},"output":{...}}: what each drop reason means, and what to
/// do.
[[nodiscard]] nlohmann::json drop_reasons();

/// The rule as status has it, with "notes", what is to be said about it, and "advice", the steps
/// to take. Null if there is no rule of that name.
[[nodiscard]] nlohmann::json rule_in_full(const Status& status, std::string_view name);

}  // namespace mcr::status
