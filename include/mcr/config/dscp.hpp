// The names of differentiated services codepoints: RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865
// (VA, VOICE-ADMIT), 8622 (LE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcr {

inline constexpr std::uint8_t dscp_most = 63;

/// "EF" is 46; none if it is no such name.
[[nodiscard]] std::optional<std::uint8_t> parse_dscp(std::string_view name) noexcept;
/// 46 is "EF"; "" if it has no name.
[[nodiscard]] std::string_view dscp_name(std::uint8_t value) noexcept;
/// "CS0, CS1, ...": for messages.
[[nodiscard]] std::string dscp_names();

}  // namespace mcr
