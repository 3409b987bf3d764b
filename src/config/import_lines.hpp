// The lines of another program's configuration, as words; and what the readers of each format are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/import.hpp"

namespace mcr {

struct ImportLine {
  std::uint32_t number = 0;
  std::vector<std::string> words;  ///< at least one
};

/// Without comments (from # on) and empty lines.
[[nodiscard]] std::vector<ImportLine> words_of_lines(std::string_view text);

/// The value of a port key: a number, or a range as text.
[[nodiscard]] nlohmann::json port_value(const std::string& port);

[[nodiscard]] Imported import_smcroute(std::string_view text, const ImportOptions& options);
[[nodiscard]] Imported import_igmpproxy(std::string_view text, const ImportOptions& options);
[[nodiscard]] Imported import_sdp(std::string_view text, const ImportOptions& options);
[[nodiscard]] Imported import_json5(std::string_view text, const ImportOptions& options);

}  // namespace mcr
