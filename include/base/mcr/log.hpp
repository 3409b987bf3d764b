// Log lines on stderr, one write(2) each, safe from any thread.
// Not for the packet path: what happens to a datagram is counted, not logged.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string_view>

namespace mcr::log {

/// Severity, numbered as in syslog(3).
enum class Level : int { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

/// "error", "warning", "notice", "info" or "debug".
[[nodiscard]] std::optional<Level> parse_level(std::string_view name);

/// Lines above this level are not written; info at first.
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes one line; under journald (JOURNAL_STREAM) with its "<N>" priority prefix.
void write(Level level, std::string_view message);

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::notice, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace mcr::log
