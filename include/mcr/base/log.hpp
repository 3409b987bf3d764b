// Log lines on stderr, one write(2) each, safe from any thread: a text, then details as key=value.
// Lines that come again and again are held back and counted (log_throttle.hpp). While a Background
// lives, no caller waits for the reader of stderr (log_writer.hpp).
// Not for the packet path: what happens to a datagram is counted, not logged.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcr::log {

class LogWriter;

/// Severity, numbered as in syslog(3).
enum class Level : int { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

/// "error", "warning", "notice", "info" or "debug".
[[nodiscard]] std::optional<Level> parse_level(std::string_view name);

/// Lines above this level are not written; info at first.
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes one line; with a "<N>" priority prefix if stderr is the journal (sd-daemon(3)). Held back
/// if the same was written, or much of its `kind`, within the last seconds.
void write(Level level, std::string_view kind, std::string_view message);
/// Writes it whatever the level, and never holds it back.
void write(Level level, std::string_view message);

/// Writes how many lines were held back, of those whose time is over; `all`: of all. Call it now
/// and then.
void write_held(bool all = false);

/// While it lives, lines are queued and written by a thread of its own; without it, each caller
/// writes its line itself, and waits if stderr is a full pipe. One at a time. It ends when no other
/// thread logs any more, and waits up to LogWriter::last_wait for what is queued.
class Background {
 public:
  /// Lines wait until start().
  Background();
  ~Background();
  /// Starts the thread. Throws OsError.
  void start();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  std::unique_ptr<LogWriter> writer_;
};

/// A value as it stands after key=: in quotes where it would not be one word.
[[nodiscard]] std::string value(std::string_view text);

template <typename... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  const fmt::string_view kind = format;
  write(level, {kind.data(), kind.size()}, fmt::format(format, std::forward<Args>(args)...));
}

/// Answers an operator who asked just now: a notice that is written whatever the level.
template <typename... Args>
void answer(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::notice, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::error, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::debug, format, std::forward<Args>(args)...);
}
/// Records what an operator did: never held back.
template <typename... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::notice)) answer(format, std::forward<Args>(args)...);
}

}  // namespace mcr::log
