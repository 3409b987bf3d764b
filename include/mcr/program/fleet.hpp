// `mcr status --all`: several relays, asked by their HTTP (http_api.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/error.hpp"

namespace mcr {

/// A host to ask. "relay1", "relay1:9464", "10.0.0.1:80", "[::1]:9464", "::1".
struct HostPort {
  std::string host;
  std::uint16_t port = 9464;

  /// Throws Failure (usage).
  [[nodiscard]] static HostPort parse(std::string_view text);

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Asks all of them at once, each for `patience` at most, and prints what they say. `unavailable`
/// if one does not answer, or has a rule that is neither active nor disabled. Throws Failure.
[[nodiscard]] ExitCode print_fleet(const std::vector<std::string>& hosts,
                                   std::chrono::milliseconds patience, bool as_json);

}  // namespace mcr
