// A rule as TOML text and as a JSON object of the same keys and values: what programs send, and
// what its file holds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "toml.hpp"

namespace mcr {

/// [[rule]] with these keys: the name first, each input and output on a line. Throws Failure
/// (config) for a value that TOML has not: null, and numbers beyond 64 bits.
[[nodiscard]] std::string rule_text(const nlohmann::json& rule);

/// The place of the name in it.
inline constexpr Position name_in_rule_text{.line = 2, .column = 8};

/// The other way round, for one table of the array `rule`. Dates become text.
[[nodiscard]] nlohmann::json rule_object(const toml::table& rule);

}  // namespace mcr
