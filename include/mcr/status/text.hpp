// The status for people: what `mcr status` and `mcr status RULE` print, from the daemon's JSON.
//
// The JSON may come from an older or newer daemon: what is missing or of another type is shown as
// "-" or left out, never an error. Names come from a configuration and from the network: control
// characters are escaped. Pure text, UTF-8, no terminal sequences; ends with a newline.
//
// Units of the JSON: last_seen_s is seconds ago (null or negative: never), rate_bps bits per
// second, buffers and sizes bytes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace mcr {

/// The whole relay: first whether all is well, then a line a rule (those that need attention
/// first), interfaces, membership, totals. Fits into `columns` where it can; 0 means 80.
[[nodiscard]] std::string render_status(const nlohmann::json& status, unsigned columns);

/// One rule in full, each kind of drop explained; without such a rule a line that says so.
[[nodiscard]] std::string render_rule(const nlohmann::json& status, std::string_view rule_name);

}  // namespace mcr
