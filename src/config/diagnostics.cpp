#include "diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mcr/base/printable.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

std::string ConfigError::str() const {
  if (line == 0) return fmt::format("{}: {}", file, message);
  return fmt::format("{}:{}:{}: {}", file, line, column, message);
}

Position Diagnostics::add_file(const std::string& name) {
  files_.push_back(name);
  return {.file = static_cast<std::uint32_t>(files_.size() - 1)};
}

void Diagnostics::add(Position at, std::string message) {
  diagnostics_.push_back({at, std::move(message)});
}

std::string Diagnostics::where(Position at) const {
  return fmt::format("{}:{}:{}", files_[at.file], at.line, at.column);
}

std::vector<ConfigError> Diagnostics::sorted() && {
  std::ranges::stable_sort(diagnostics_, {}, &Diagnostic::at);
  if (diagnostics_.size() > limits::config_errors) {
    const std::size_t more = diagnostics_.size() - limits::config_errors;
    diagnostics_.resize(limits::config_errors + 1);
    diagnostics_.back().message = fmt::format("{} more errors from here on", more);
  }
  std::vector<ConfigError> errors;
  errors.reserve(diagnostics_.size());
  for (auto& [at, message] : diagnostics_)
    errors.push_back({files_[at.file], at.line, at.column, std::move(message)});
  return errors;
}

std::string printable_excerpt(std::string_view text) {
  constexpr std::size_t longest = 200;
  return printable(text.substr(0, longest)) + (text.size() > longest ? "..." : "");
}

std::string quoted_excerpt(std::string_view text) {
  return '"' + printable_excerpt(text) + '"';
}

}  // namespace mcr
