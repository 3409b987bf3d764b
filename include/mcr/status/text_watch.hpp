// The status as it changes: what `mcr status --watch` shows, frame by frame, from two statuses.
// Forgiving and escaped as in text.hpp; ends with a newline. Without colour it is pure text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "mcr/status/status.hpp"

namespace mcr::status {

enum class FrameOrder : std::uint8_t { rate, drops, name };
[[nodiscard]] constexpr std::string_view to_string(FrameOrder order) noexcept {
  return order == FrameOrder::rate ? "rate" : order == FrameOrder::drops ? "drops" : "name";
}

/// The rates of rules in the last minute: the mean of each five seconds of it.
class LastMinute {
 public:
  static constexpr std::size_t bars = 12;
  static constexpr double bar_seconds = 5;

  /// `seconds`: of a clock that goes forward. A rule that is no longer there is forgotten.
  void add(const Status& status, double seconds);
  /// A bar for each five seconds, the newest last; a space for those that were not seen.
  [[nodiscard]] std::string of(const std::string& rule) const;

 private:
  struct Bar {
    double sum = 0;
    unsigned looks = 0;
  };
  using Bars = std::array<Bar, bars>;

  std::unordered_map<std::string, Bars> rules_;
  std::int64_t newest_ = 0;  ///< since the clock's beginning
};

struct FrameShape {
  unsigned columns = 0;  ///< 0 means 80
  unsigned rows = 0;     ///< at most so many lines, rules are left out; 0: all
  FrameOrder order = FrameOrder::rate;
  std::string search{};                     ///< only rules whose name or note has this; "": all
  std::size_t first = 0;                    ///< the rule to begin with; too large: the last page
  bool colour = false;                      ///< states that are trouble, and drops (ECMA-48 SGR)
  const LastMinute* last_minute = nullptr;  ///< shown where a line has the room
};

/// The relay at a glance: what it does a second (drops: between the two statuses, `seconds` apart),
/// then a line a rule, and what is left out. Rules that do not run come first, whatever the order.
[[nodiscard]] std::string render_frame(const Status& before, const Status& now, double seconds,
                                       const FrameShape& shape);

/// One rule in full, as render_rule() has it, with the colour of its state and its last minute.
[[nodiscard]] std::string render_rule_frame(const Status& now, const std::string& name,
                                            const FrameShape& shape);

}  // namespace mcr::status
