// Reads the TOML files and validates them: a Config, or every mistake with its position.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/config.hpp"
#include "mcr/config/config_error.hpp"

namespace mcr {

/// If `errors` is empty, `config` is valid. Otherwise `errors` has every mistake that was found
/// (only the first one of syntax in each file), in the order of the files and of their text;
/// `config` must not be used then, but has as many rules as could be read. Columns count code
/// points, from 1.
struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;
};

/// Reads the main file, `conf.d/*.toml` beside it, and `rules.d/*.toml` of the folders that
/// [daemon] state and runtime name, in name order, and validates them together. Needs no privileges
/// and opens no sockets; throws nothing but std::bad_alloc.
[[nodiscard]] ConfigResult load_config(const std::string& path);

/// Does the same for the text of one main file. `file` is only its name in messages.
[[nodiscard]] ConfigResult parse_config(std::string_view text, const std::string& file);

}  // namespace mcr
