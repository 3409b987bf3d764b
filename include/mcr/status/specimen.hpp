// A Status that has everything a Status can have, and one that has as little: from what is written
// of them the description of the JSON is made (program/openapi.cpp).
#pragma once

#include "mcr/status/status.hpp"

namespace mcr::status {

/// Every value is known; there is a thing in every state, and one with each form of a value that
/// has several.
[[nodiscard]] Status full_specimen();

/// One of each thing, of which nothing is known.
[[nodiscard]] Status empty_specimen();

}  // namespace mcr::status
