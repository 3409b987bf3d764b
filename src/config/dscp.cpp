#include "mcr/config/dscp.hpp"

namespace mcr {

std::optional<std::uint8_t> parse_dscp(std::string_view name) noexcept {
  for (const auto& [known, value] : dscp_codepoints)
    if (known == name) return value;
  return std::nullopt;
}

std::string_view dscp_name(std::uint8_t value) noexcept {
  for (const auto& [name, known] : dscp_codepoints)
    if (known == value) return name;
  return {};
}

std::string dscp_names() {
  std::string names;
  for (const auto& [name, value] : dscp_codepoints)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace mcr
