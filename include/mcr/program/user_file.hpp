// A file that a person has named on the command line.
#pragma once

#include <string>
#include <string_view>

namespace mcr {

/// Its text; that of standard input for "-". What is no regular file is read up to its end, too.
/// Throws OsError, Failure (config) for more than limits::config_bytes.
[[nodiscard]] std::string read_user_file(const std::string& name);

/// Throws Failure (config), with the line and column in that file, at the first byte that is no
/// UTF-8.
void require_utf8(std::string_view text, const std::string& file);

}  // namespace mcr
