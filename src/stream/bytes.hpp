// Big-endian and little-endian numbers at an unaligned place. Who calls has checked the length.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcr::stream {

/// The bytes as the C headers of biTStream take them.
[[nodiscard]] inline const std::uint8_t* octets(const std::byte* from) noexcept {
  return reinterpret_cast<const std::uint8_t*>(from);
}

[[nodiscard]] inline std::uint8_t read_u8(const std::byte* from) noexcept {
  return std::to_integer<std::uint8_t>(*from);
}

/// `bytes` (0 to 8) of them, the first one the highest.
[[nodiscard]] inline std::uint64_t read_big(const std::byte* from, std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8U | read_u8(from + i);
  return value;
}

/// `bytes` (0 to 8) of them, the first one the lowest.
[[nodiscard]] inline std::uint64_t read_little(const std::byte* from, std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;)
    value = value << 8U | read_u8(from + i);
  return value;
}

[[nodiscard]] inline std::uint16_t read_u16(const std::byte* from) noexcept {
  return static_cast<std::uint16_t>(read_big(from, 2));
}

[[nodiscard]] inline std::uint32_t read_u32(const std::byte* from) noexcept {
  return static_cast<std::uint32_t>(read_big(from, 4));
}

}  // namespace mcr::stream
