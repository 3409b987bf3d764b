// A Status as the JSON of `mcr status --json`, and back. Keys and meanings are a contract with
// users, written down in mcr-status(1): keys are added, never renamed or removed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "mcr/status/status.hpp"

namespace mcr::status {

[[nodiscard]] nlohmann::json to_json(const Status& status);
/// The same as text, without a space or an end of line, in about half of the time. What is no UTF-8
/// is replaced. Any thread.
[[nodiscard]] std::string to_text(const Status& status);
/// An element of "rules".
[[nodiscard]] nlohmann::json to_json(const Rule& rule);
/// The whole document but its "rules".
[[nodiscard]] nlohmann::json frame_to_json(const Status& status);

/// Reads what any daemon answers, an older or a newer one: what is missing or of another type stays
/// unknown, and keys that are not known here are passed over. Nothing for a document without rules.
[[nodiscard]] std::optional<Status> from_json(const nlohmann::json& document);

}  // namespace mcr::status
