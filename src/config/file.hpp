// The files of a configuration, read as text: the main file, conf.d/*.toml beside it, and those of
// the rules that were added at run time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnostics.hpp"

namespace mcr {

/// Reads a regular file of at most limits::config_bytes. Otherwise adds a diagnostic at `file` and
/// returns nothing. Never blocks, whatever kind of file the name leads to.
[[nodiscard]] std::optional<std::string> read_config_file(Position file, Diagnostics& diagnostics);

/// The folder conf.d beside the main file; relative if the main file's path is.
[[nodiscard]] std::string conf_d_of(const std::string& main_path);

/// The paths of *.toml in the folder, in the order of their names. Names that begin with a dot are
/// left out, as a shell does. Without the folder there are none.
[[nodiscard]] std::vector<std::string> list_folder(const std::string& folder,
                                                   Diagnostics& diagnostics);

}  // namespace mcr
