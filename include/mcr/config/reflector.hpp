// A reflector: discovery in all directions between segments. It runs as ordinary rules, one for
// each group and interface that it takes datagrams from; they bear its name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcr {

enum class ReflectorKind : std::uint8_t { udp, mdns, ssdp, ws_discovery };
/// As the configuration writes it: "ws-discovery".
[[nodiscard]] std::string_view to_string(ReflectorKind kind) noexcept;

struct Reflector {
  std::string name;
  ReflectorKind kind = ReflectorKind::udp;
  std::vector<std::string> interfaces;
  std::string comment{};

  friend bool operator==(const Reflector&, const Reflector&) = default;
};

}  // namespace mcr
