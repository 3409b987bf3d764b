// Text that others wrote, made fit for a terminal or a log: escaped, and its width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mcr {

/// `text` with control characters, invisible direction marks and invalid UTF-8 as \xNN or \u{N}.
[[nodiscard]] std::string printable(std::string_view text);

/// Code points of valid UTF-8.
[[nodiscard]] std::size_t text_width(std::string_view text);

}  // namespace mcr
