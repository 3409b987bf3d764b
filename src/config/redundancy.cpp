#include "mcr/config/redundancy.hpp"

#include "mcr/config/limits.hpp"

namespace mcr {

/// FNV-1a: the same at every start, so that a rule keeps its worker.
std::uint8_t lane_of(std::string_view rule) noexcept {
  std::uint32_t hash = 0x811C9DC5;
  for (const char byte : rule)
    hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x01000193;
  return static_cast<std::uint8_t>(1 + (hash ^ hash >> 16U) % limits::lanes);
}

}  // namespace mcr
