// UTF-8 (RFC 3629): the shortest form only, and no surrogates.
#pragma once

#include <cstddef>
#include <string_view>

namespace mcr {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  ///< 0: what stands there is no UTF-8
};

/// The one at the front of `text`, which is not empty.
[[nodiscard]] CodePoint front_code_point(std::string_view text) noexcept;

/// How many bytes at the front of `text` are valid; all of them: its size.
[[nodiscard]] std::size_t valid_utf8(std::string_view text) noexcept;

}  // namespace mcr
