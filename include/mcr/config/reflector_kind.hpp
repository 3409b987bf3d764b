// The kinds of reflectors: which discovery they know.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcr {

enum class ReflectorKind : std::uint8_t { udp, mdns, ssdp, ws_discovery };
/// As the configuration writes it: "ws-discovery".
[[nodiscard]] std::string_view to_string(ReflectorKind kind) noexcept;

}  // namespace mcr
