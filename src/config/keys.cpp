#include "keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mcr/base/nearest_word.hpp"

namespace mcr {

std::string unknown_key_message(std::string_view key, std::string_view where,
                                std::span<const std::string_view> known) {
  const auto start = fmt::format("unknown key {} in {}", quoted_excerpt(key), where);
  const auto nearest = nearest_word(key, known);
  if (!nearest.empty()) return fmt::format("{}; did you mean {}?", start, quoted_excerpt(nearest));
  return fmt::format("{}; known here: {}", start, fmt::join(known, ", "));
}

}  // namespace mcr
