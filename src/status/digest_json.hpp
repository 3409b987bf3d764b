// A digest as a value of the JSON that a daemon sends to its client, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "mcr/status/status.hpp"

namespace mcr::status {

[[nodiscard]] nlohmann::json write_digest(const Digest& digest);
[[nodiscard]] std::optional<Digest> read_digest(const nlohmann::json& object);

}  // namespace mcr::status
