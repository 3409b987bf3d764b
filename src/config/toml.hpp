// The use of toml++ in this room: text in, a tree with positions out.
#pragma once

// Included as a system header, so that our warnings do not judge it.
#include <toml++/toml.h>

#include <optional>
#include <string_view>

#include "diagnostics.hpp"

namespace mcr {

/// The position of a node or key in this file.
[[nodiscard]] Position position_of(const toml::source_region& region, Position file);

/// Parses one file. On a mistake of syntax adds a diagnostic for the first one and returns nothing.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Position file,
                                                    Diagnostics& diagnostics);

}  // namespace mcr
