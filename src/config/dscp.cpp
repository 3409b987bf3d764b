#include "mcr/config/dscp.hpp"

#include <algorithm>
#include <array>

namespace mcr {

namespace {

struct Named {
  std::string_view name;
  std::uint8_t value;
};

constexpr std::array codepoints{
    Named{"CS0", 0},   Named{"CS1", 8},   Named{"CS2", 16},  Named{"CS3", 24},  Named{"CS4", 32},
    Named{"CS5", 40},  Named{"CS6", 48},  Named{"CS7", 56},  Named{"AF11", 10}, Named{"AF12", 12},
    Named{"AF13", 14}, Named{"AF21", 18}, Named{"AF22", 20}, Named{"AF23", 22}, Named{"AF31", 26},
    Named{"AF32", 28}, Named{"AF33", 30}, Named{"AF41", 34}, Named{"AF42", 36}, Named{"AF43", 38},
    Named{"EF", 46},   Named{"VA", 44},   Named{"LE", 1},
};

}  // namespace

std::optional<std::uint8_t> parse_dscp(std::string_view name) noexcept {
  const auto* found = std::ranges::find(codepoints, name, &Named::name);
  return found == codepoints.end() ? std::nullopt : std::optional(found->value);
}

std::string_view dscp_name(std::uint8_t value) noexcept {
  const auto* found = std::ranges::find(codepoints, value, &Named::value);
  return found == codepoints.end() ? std::string_view() : found->name;
}

std::string dscp_names() {
  std::string names;
  for (const auto& each : codepoints)
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

}  // namespace mcr
