// The expectation of a rule as the object `expect` of its JSON, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "mcr/config/expectation.hpp"

namespace mcr::status {

/// Null for nothing.
[[nodiscard]] nlohmann::json write_expect(const std::optional<Expectation>& expect);
/// Nothing if it is no object. What is missing or of another type has its default.
[[nodiscard]] std::optional<Expectation> read_expect(const nlohmann::json& object);

}  // namespace mcr::status
