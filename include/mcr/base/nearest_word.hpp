// The known word that somebody who mistyped one probably meant.
#pragma once

#include <span>
#include <string_view>

namespace mcr {

/// Of `known` the word with the fewest letters to insert, delete, replace or swap with their
/// neighbour, whatever their case: at most three, and half of the longer word. "" if none is near.
[[nodiscard]] std::string_view nearest_word(std::string_view word,
                                            std::span<const std::string_view> known);

}  // namespace mcr
