#include "mcr/base/log_throttle.hpp"

#include <fmt/format.h>

namespace mcr::log {

/// Null when there is no room for another.
LogThrottle::Entry* LogThrottle::find_or_add(Entries& entries, std::string_view key, Level level,
                                             Clock::time_point now) {
  if (const auto known = entries.find(key); known != entries.end()) return &known->second;
  if (texts_.size() + kinds_.size() >= capacity) return nullptr;
  return &entries.emplace(key, Entry{level, now, 0, 0, {}}).first->second;
}

bool LogThrottle::admit(Level level, std::string_view kind, std::string_view text,
                        Clock::time_point now) {
  if (const auto known = texts_.find(text); known != texts_.end()) {
    ++known->second.held;
    return false;
  }
  auto* of_kind = find_or_add(kinds_, kind, level, now);
  if (of_kind != nullptr && of_kind->written == most_of_a_kind) {
    ++of_kind->held;
    of_kind->last = text;
    return false;
  }
  if (of_kind != nullptr) ++of_kind->written;
  find_or_add(texts_, text, level, now);
  return true;
}

void LogThrottle::take_due(Entries& entries, Clock::time_point now, std::vector<Line>& lines) {
  for (auto entry = entries.begin(); entry != entries.end();) {
    const auto& [level, since, written, held, last] = entry->second;
    if (now - since < window) {
      ++entry;
      continue;
    }
    if (held != 0)
      lines.push_back(
          {level, fmt::format("{} ({} more)", last.empty() ? entry->first : last, held)});
    entry = entries.erase(entry);
  }
}

std::vector<LogThrottle::Line> LogThrottle::due(Clock::time_point now) {
  std::vector<Line> lines;
  take_due(texts_, now, lines);
  take_due(kinds_, now, lines);
  return lines;
}

}  // namespace mcr::log
