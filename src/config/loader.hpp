// The files of a configuration after reading. The steps that need all rules together start from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diagnostics.hpp"
#include "mcr/config/reflector.hpp"
#include "placed_rule.hpp"
#include "raw_config.hpp"

namespace mcr {

/// The rules are resolved, and not yet checked against each other.
struct LoadedFiles {
  RawConfig raw;  ///< [daemon], [defaults] and [interface] alone
  std::vector<PlacedRule> rules;
  std::vector<Reflector> reflectors;
  Diagnostics diagnostics;
};

/// Reads the main file, conf.d beside it, and rules.d of the folders that [daemon] state and
/// runtime name, or that belong to the main file (default_folder()).
[[nodiscard]] LoadedFiles load_files(const std::string& path);
/// The same for the text of a main file.
[[nodiscard]] LoadedFiles load_text(std::string_view text, const std::string& file);

/// For /etc/mcr/mcr.toml the folder `base`, for /etc/mcr/NAME/mcr.toml (of mcr@NAME.service) NAME
/// in it; "" for any other main file: who runs a second relay by hand must not get the first one's
/// rules.
[[nodiscard]] std::string default_folder(const std::string& base, std::string_view main_path);

}  // namespace mcr
