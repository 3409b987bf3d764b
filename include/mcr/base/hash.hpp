// A hash that is the same on all hosts and in all versions of MCR. Not against enemies.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcr {

/// FNV-1a, 64 bits.
[[nodiscard]] constexpr std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace mcr
