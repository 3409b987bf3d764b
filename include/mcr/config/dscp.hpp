// The names of differentiated services codepoints: RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865
// (VA, VOICE-ADMIT), 8622 (LE).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mcr {

inline constexpr std::uint8_t dscp_most = 63;

inline constexpr std::array<std::pair<std::string_view, std::uint8_t>, 23> dscp_codepoints{{
    {"CS0", 0},   {"CS1", 8},   {"CS2", 16},  {"CS3", 24},  {"CS4", 32},  {"CS5", 40},
    {"CS6", 48},  {"CS7", 56},  {"AF11", 10}, {"AF12", 12}, {"AF13", 14}, {"AF21", 18},
    {"AF22", 20}, {"AF23", 22}, {"AF31", 26}, {"AF32", 28}, {"AF33", 30}, {"AF41", 34},
    {"AF42", 36}, {"AF43", 38}, {"EF", 46},   {"VA", 44},   {"LE", 1},
}};

/// The value of a name: 46 for "EF". Nothing if there is no such name.
[[nodiscard]] std::optional<std::uint8_t> parse_dscp(std::string_view name) noexcept;
/// The name of a value: "EF" for 46. Empty if it has none.
[[nodiscard]] std::string_view dscp_name(std::uint8_t value) noexcept;
/// All names, for messages: "CS0, CS1, ...".
[[nodiscard]] std::string dscp_names();

}  // namespace mcr
