// A JSON object that a client has sent.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace mcr {

/// Nothing if the text is no JSON object. Throws Failure (config) for one that is nested deeper
/// than any request: it would be copied and written by recursion.
[[nodiscard]] std::optional<nlohmann::json> read_request(std::string_view text);

}  // namespace mcr
