// toml++ as this room uses it: text in, a tree with positions out.
#pragma once

// The library is compiled apart; its header is not held to our warnings.
#include <toml++/toml.h>

#include <optional>
#include <string_view>

#include "diagnostics.hpp"

namespace mcr {

/// Where a node or key of this file stands.
[[nodiscard]] Position position_of(const toml::source_region& region, Position file);

/// The tree of one file, or none and its first mistake of syntax.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Position file,
                                                    Diagnostics& diagnostics);

}  // namespace mcr
