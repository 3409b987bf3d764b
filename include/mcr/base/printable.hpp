// Text for a terminal or a log: escaping of what others wrote, its width, plurals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcr {

/// `text` with control characters, invisible direction marks and invalid UTF-8 as \xNN or \u{N}.
[[nodiscard]] std::string printable(std::string_view text);

/// "1 rule", "2 rules": a regular noun with its number, without separators.
[[nodiscard]] std::string counted(std::uint64_t n, std::string_view noun);

/// Columns of a terminal that valid, printable UTF-8 takes (wcwidth(3)): 2 for a CJK character, 0
/// for a combining mark; the process's locale does not matter. Any other byte counts as 1.
[[nodiscard]] std::size_t text_width(std::string_view text);

/// As much of the front of `text` as fits into so many columns. No code point is cut, and none is
/// parted from its combining marks.
[[nodiscard]] std::string_view front_within(std::string_view text, std::size_t columns);

}  // namespace mcr
