// Decides which of the log lines that repeat are written. In a window of time these are the first
// line of each text, and at most a few of each kind; the others are counted. Takes the time from
// its caller. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mcr::log {

enum class Level : int;

class LogThrottle {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::seconds window{5};
  static constexpr std::size_t most_of_a_kind = 20;  ///< different lines in one window
  static constexpr std::size_t capacity = 512;  ///< lines and kinds; beyond it nothing is held back

  struct Line {
    Level level;
    std::string text;
  };

  /// True if this line is to be written now; else it is counted. Lines of one origin share their
  /// `kind`: the format.
  [[nodiscard]] bool admit(Level level, std::string_view kind, std::string_view text,
                           Clock::time_point now);

  /// For each line or kind whose window has ended with some held back: "TEXT (41 more)", of a kind
  /// with its last text.
  [[nodiscard]] std::vector<Line> due(Clock::time_point now);

 private:
  struct Entry {
    Level level;
    Clock::time_point since;
    std::size_t written = 0;
    std::uint64_t held = 0;
    std::string last;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Entry* find_or_add(Entries& entries, std::string_view key, Level level, Clock::time_point now);
  static void take_due(Entries& entries, Clock::time_point now, std::vector<Line>& lines);

  Entries texts_;
  Entries kinds_;
};

}  // namespace mcr::log
