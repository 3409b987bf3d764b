// A mistake in the configuration files.
#pragma once

#include <cstdint>
#include <string>

namespace mcr {

/// A mistake in the user's files. Line 0 means the whole file.
struct ConfigError {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;

  /// `FILE:LINE:COL: message`, or `FILE: message` if line is 0.
  [[nodiscard]] std::string str() const;

  friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

}  // namespace mcr
