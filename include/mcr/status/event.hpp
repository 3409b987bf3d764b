// An event as the JSON object of `mcr events --json`, and as a line of text. Keys and words are a
// contract with users, written down in mcr(1): they are added to, never renamed or removed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "mcr/control/events.hpp"

namespace mcr::status {

/// `id`, `time` (RFC 3339, UTC, with milliseconds), `event` (the kind), and of the rest what there
/// is to say: `rule`, `interface`, `group`, `where`, `state`, `before`, `reason`, `errno`, `count`,
/// `missed`.
[[nodiscard]] nlohmann::json to_json(const Event& event);

/// Reads what any daemon says: what is missing or of another type stays empty, and a kind that is
/// not known here is written as it came.
[[nodiscard]] std::string render_event(const nlohmann::json& event);

}  // namespace mcr::status
