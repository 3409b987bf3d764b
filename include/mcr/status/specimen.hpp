// A Status that has everything a Status can have, and one that has as little, and events of every
// kind: from what is written of them the description of the JSON is made (program/openapi.cpp).
#pragma once

#include <cstdint>

#include "mcr/control/events.hpp"
#include "mcr/status/status.hpp"

namespace mcr::status {

/// Every value is known; there is a thing in every state, and one with each form of a value that
/// has several.
[[nodiscard]] Status full_specimen();

/// One of each thing, of which nothing is known.
[[nodiscard]] Status empty_specimen();

inline constexpr std::uint64_t first_specimen_event = 1000;
/// Events with all that an event can have, and all states. The first ones are lost: a reader who
/// has seen `first_specimen_event` finds a gap.
[[nodiscard]] EventRing specimen_events();

}  // namespace mcr::status
