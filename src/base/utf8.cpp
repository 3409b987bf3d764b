#include "mcr/base/utf8.hpp"

#include <cstdint>

namespace mcr {
namespace {

constexpr bool continues(char byte) {
  return (static_cast<std::uint8_t>(byte) & 0xC0U) == 0x80U;
}

}  // namespace

CodePoint front_code_point(std::string_view text) noexcept {
  auto lead = static_cast<std::uint8_t>(text.front());
  if (lead < 0x80U) return {lead, 1};
  std::size_t size = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
  if (lead < 0xC2U || lead > 0xF4U || text.size() < size) return {};
  char32_t value = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (!continues(text[i])) return {};
    value = value << 6U | (static_cast<std::uint8_t>(text[i]) & 0x3FU);
  }
  bool overlong = (size == 3 && value < 0x800U) || (size == 4 && value < 0x10000U);
  bool surrogate = value >= 0xD800U && value <= 0xDFFFU;
  if (overlong || surrogate || value > 0x10FFFFU) return {};
  return {value, size};
}

std::size_t valid_utf8(std::string_view text) noexcept {
  std::size_t valid = 0;
  while (valid < text.size()) {
    const auto bytes = front_code_point(text.substr(valid)).bytes;
    if (bytes == 0) break;
    valid += bytes;
  }
  return valid;
}

}  // namespace mcr
