// The status for people: what `mcr status` and `mcr status RULE` print.
//
// An unknown value is shown as "-" or left out, never an error. Names come from a configuration and
// from the network: control characters are escaped. Pure text, UTF-8, no terminal sequences; ends
// with a newline.
#pragma once

#include <string>
#include <string_view>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// The whole relay: first whether all is well, then the rules, interfaces, membership, totals. A
/// line a rule, those that need attention first; of many rules a line for those that are alike.
/// Fits into `columns` where it can; 0 means 80.
[[nodiscard]] std::string render_status(const Status& status, unsigned columns);

/// The rules that are neither active nor disabled, a line for those that are so for one reason;
/// "": none.
[[nodiscard]] std::string render_trouble(const Status& status);

/// All rules that are there, however many: for those that were selected.
[[nodiscard]] std::string render_rules(const Status& status, unsigned columns);

/// One rule in full, each kind of drop explained; without such a rule a line that says so.
[[nodiscard]] std::string render_rule(const Status& status, std::string_view rule_name);

}  // namespace mcr::status
