#include "mcr/base/log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "mcr/base/log_throttle.hpp"
#include "mcr/base/log_writer.hpp"

namespace mcr::log {

namespace {

constexpr std::array<std::pair<std::string_view, Level>, 5> names{{
    {"error", Level::error},
    {"warning", Level::warning},
    {"notice", Level::notice},
    {"info", Level::info},
    {"debug", Level::debug},
}};

std::atomic<Level> threshold{Level::info};

std::string_view name_of(Level level) {
  for (const auto& [name, value] : names)
    if (value == level) return name;
  return "?";
}

LogThrottle throttle;
std::mutex repeats_lock;

std::atomic<LogWriter*> background{nullptr};

/// JOURNAL_STREAM names the stream's file as DEVICE:INODE; a redirected stderr is another.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0 &&
         fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

/// The line as it is written: for the journal with its priority (sd-daemon(3)).
std::string format_line(Level level, std::string_view message) {
  static const bool journal = stderr_is_journal();
  return journal ? fmt::format("<{}>{}\n", static_cast<int>(level), message)
                 : fmt::format("mcr: {}: {}\n", name_of(level), message);
}

std::string describe_lost(std::uint64_t lines) {
  return format_line(Level::warning, fmt::format("log lines that could not be written: {}", lines));
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) {
  for (const auto& [known, level] : names)
    if (known == name) return level;
  return std::nullopt;
}

void set_level(Level level) noexcept {
  threshold.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) noexcept {
  return level <= threshold.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message) {
  auto line = format_line(level, message);
  auto* writer = background.load(std::memory_order_acquire);
  if (writer != nullptr) return writer->write(std::move(line));
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

void write(Level level, std::string_view kind, std::string_view message) {
  if (!enabled(level)) return;
  write_held();
  {
    const std::lock_guard lock(repeats_lock);
    if (!throttle.admit(level, kind, message, LogThrottle::Clock::now())) return;
  }
  write(level, message);
}

void write_held(bool all) {
  std::vector<LogThrottle::Line> lines;
  {
    const std::lock_guard lock(repeats_lock);
    lines = throttle.due(all ? LogThrottle::Clock::time_point::max() : LogThrottle::Clock::now());
  }
  for (const auto& [level, text] : lines)
    write(level, text);
}

Background::Background() : writer_(std::make_unique<LogWriter>(Fd(STDERR_FILENO), describe_lost)) {
  background.store(writer_.get(), std::memory_order_release);
}

Background::~Background() {
  background.store(nullptr, std::memory_order_release);
}

void Background::start() {
  writer_->start();
}

std::string value(std::string_view text) {
  const bool is_word = !text.empty() && text.find_first_of(" \"=\\\t\n") == std::string_view::npos;
  if (is_word) return std::string(text);
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + '"';
}

}  // namespace mcr::log
