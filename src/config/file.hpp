// The files of a configuration, read as text: the main file and conf.d/*.toml beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnostics.hpp"

namespace mcr {

/// Reads a regular file of at most limits::config_bytes. Otherwise adds a diagnostic at `file` and
/// returns nothing. Never blocks, whatever kind of file the name leads to.
[[nodiscard]] std::optional<std::string> read_config_file(Position file, Diagnostics& diagnostics);

/// The paths of conf.d/*.toml beside the main file, in the order of their names. They are relative
/// if the main file's path is. Names that begin with a dot are left out, as a shell does. Without
/// conf.d there are none.
[[nodiscard]] std::vector<std::string> list_conf_d(const std::string& main_path,
                                                   Diagnostics& diagnostics);

}  // namespace mcr
