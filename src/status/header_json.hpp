// An output's say in the headers of a copy, as values of its JSON, and back: `ttl`, `dscp`
// and `source`. What is of another type has its default.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mcr/config/output.hpp"

namespace mcr::status {

/// A number, "preserve", "decrement", or null for the system's.
[[nodiscard]] nlohmann::json write_ttl(const Ttl& ttl);
[[nodiscard]] Ttl read_ttl(const nlohmann::json& value);

/// A number, or "preserve".
[[nodiscard]] nlohmann::json write_dscp(const Dscp& dscp);
[[nodiscard]] Dscp read_dscp(const nlohmann::json& value);

/// "interface", "preserve", or an address.
[[nodiscard]] nlohmann::json write_source(const Source& source);
[[nodiscard]] Source read_source(const nlohmann::json& value);

}  // namespace mcr::status
