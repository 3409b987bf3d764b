#include "diagnostics.hpp"

#include "mcr/base/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mcr {

Position Mistakes::add_file(const std::string& name) {
  files_.push_back(name);
  return {.file = static_cast<std::uint32_t>(files_.size() - 1)};
}

void Mistakes::add(Position at, std::string message) {
  mistakes_.push_back({at, std::move(message)});
}

std::string Mistakes::where(Position at) const {
  return fmt::format("{}:{}:{}", files_[at.file], at.line, at.column);
}

std::vector<ConfigError> Mistakes::sorted() && {
  std::ranges::stable_sort(mistakes_, {}, &Mistake::at);
  if (mistakes_.size() > limits::config_errors) {
    const std::size_t more = mistakes_.size() - limits::config_errors;
    mistakes_.resize(limits::config_errors + 1);
    mistakes_.back().message = fmt::format("{} more errors from here on", more);
  }
  std::vector<ConfigError> errors;
  errors.reserve(mistakes_.size());
  for (auto& [at, message] : mistakes_)
    errors.push_back({files_[at.file], at.line, at.column, std::move(message)});
  return errors;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t longest = 200;
  return printable(text.substr(0, longest)) + (text.size() > longest ? "..." : "");
}

std::string quoted(std::string_view text) {
  return '"' + excerpt(text) + '"';
}

}  // namespace mcr
