// The names of differentiated services codepoints: RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865
// (VA, VOICE-ADMIT), 8622 (LE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcr {

inline constexpr std::uint8_t dscp_most = 63;

/// The value of a name: 46 for "EF". Nothing if there is no such name.
[[nodiscard]] std::optional<std::uint8_t> parse_dscp(std::string_view name) noexcept;
/// The name of a value: "EF" for 46. Empty if it has none.
[[nodiscard]] std::string_view dscp_name(std::uint8_t value) noexcept;
/// All names, for messages: "CS0, CS1, ...".
[[nodiscard]] std::string dscp_names();

}  // namespace mcr
