// A value that is one of a few words.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "diagnostics.hpp"
#include "value.hpp"

namespace mcr {

/// Words and what each of them means.
template <typename T, std::size_t N>
using Choices = std::array<std::pair<std::string_view, T>, N>;

/// One of a few words.
template <typename T, std::size_t N>
std::optional<T> read_choice(const Value& value, const Choices<T, N>& choices) {
  const auto text = value.string();
  if (!text) return std::nullopt;
  std::string known;
  for (const auto& [name, choice] : choices) {
    if (*text == name) return choice;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  value.refuse(fmt::format("{} is none of {}", quoted_excerpt(*text), known));
  return std::nullopt;
}

}  // namespace mcr
