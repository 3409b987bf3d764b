// The list of mistakes in the files of a configuration, each with its position. For one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/config_error.hpp"

namespace mcr {

/// A place in a file. Line and column count from 1; line 0 means the file as a whole.
struct Position {
  std::uint32_t file = 0;  ///< index into the files of Diagnostics
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

class Diagnostics {
 public:
  /// Adds a file, and returns the position that means all of it. Files are reported in the order of
  /// these calls.
  Position add_file(const std::string& name);
  void add(Position at, std::string message);

  /// Returns "FILE:LINE:COL", for a message that names a second place.
  [[nodiscard]] std::string where(Position at) const;
  [[nodiscard]] const std::string& file_name(Position at) const { return files_[at.file]; }
  /// All diagnostics, in the order of the files and of their text. Those beyond
  /// limits::config_errors are only counted, in a last one.
  [[nodiscard]] std::vector<ConfigError> sorted() &&;

 private:
  struct Diagnostic {
    Position at;
    std::string message;
  };
  std::vector<std::string> files_;
  std::vector<Diagnostic> diagnostics_;
};

/// The user's text, fit for a message: control characters are escaped, and it is cut when long.
[[nodiscard]] std::string printable_excerpt(std::string_view text);
/// The same, in double quotes.
[[nodiscard]] std::string quoted_excerpt(std::string_view text);

}  // namespace mcr
