// The files of a configuration, read as text: the main file and conf.d/*.toml beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnostics.hpp"

namespace mcr {

/// The text of a regular file of at most limits::config_bytes; else a mistake at `file`.
/// Never blocks, whatever the name leads to.
[[nodiscard]] std::optional<std::string> read_config_file(Position file, Diagnostics& diagnostics);

/// The paths of conf.d/*.toml beside the main file in name order, spelled as the main file is.
/// Names that begin with a dot are left out, as a shell would; no conf.d is no file.
[[nodiscard]] std::vector<std::string> list_conf_d(const std::string& main_path,
                                                   Diagnostics& diagnostics);

}  // namespace mcr
