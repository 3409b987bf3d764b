// The status as it changes: what `mcr status --watch` shows, frame by frame, from two statuses.
// Forgiving and escaped as in text.hpp; pure text, no terminal sequences; ends with a newline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mcr/status/status.hpp"

namespace mcr::status {

enum class FrameOrder : std::uint8_t { rate, drops, name };
[[nodiscard]] constexpr std::string_view to_string(FrameOrder order) noexcept {
  return order == FrameOrder::rate ? "rate" : order == FrameOrder::drops ? "drops" : "name";
}

struct FrameShape {
  unsigned columns = 0;  ///< 0 means 80
  unsigned rows = 0;     ///< at most so many lines, rules are left out; 0: all
  FrameOrder order = FrameOrder::rate;
  std::string search{};   ///< only rules whose name or note has this; "": all
  std::size_t first = 0;  ///< the rule to begin with; too large: the last page
};

/// The relay at a glance: what it does a second (drops: between the two statuses, `seconds` apart),
/// then a line a rule, and what is left out. Rules that do not run come first, whatever the order.
[[nodiscard]] std::string render_frame(const Status& before, const Status& now, double seconds,
                                       const FrameShape& shape);

}  // namespace mcr::status
