// Where something stands in the files of a configuration, and the list of what is wrong there.
// One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/config.hpp"

namespace mcr {

/// Line 0: the file as a whole.
struct Position {
  std::uint32_t file = 0;  ///< index into the files of Diagnostics
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

class Diagnostics {
 public:
  /// Opens the next file; the order of these calls is the order of the report.
  Position add_file(const std::string& name);
  void add(Position at, std::string message);

  /// "FILE:LINE:COL", for a message that names a second place.
  [[nodiscard]] std::string where(Position at) const;
  [[nodiscard]] const std::string& file_name(Position at) const { return files_[at.file]; }
  /// All of them, in the order of the files and of their text.
  [[nodiscard]] std::vector<ConfigError> sorted() &&;

 private:
  struct Diagnostic {
    Position at;
    std::string message;
  };
  std::vector<std::string> files_;
  std::vector<Diagnostic> diagnostics_;
};

/// Text of the user's as it can be shown: without control characters, cut when long.
[[nodiscard]] std::string printable_excerpt(std::string_view text);
/// The same in double quotes.
[[nodiscard]] std::string quoted_excerpt(std::string_view text);

}  // namespace mcr
