// The known word that somebody who mistyped one probably meant.
#pragma once

#include <span>
#include <string_view>

namespace mcr {

/// The word of `known` that takes the fewest insertions, deletions, replacements and swaps of
/// neighbouring letters: at most three, and at most half of the longer word. Case does not matter.
/// "" if none is near.
[[nodiscard]] std::string_view nearest_word(std::string_view word,
                                            std::span<const std::string_view> known);

}  // namespace mcr
