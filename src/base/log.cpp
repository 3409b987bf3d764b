#include "mcr/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <utility>

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
  if (!enabled(level)) return;
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  const auto line = journal ? fmt::format("<{}>{}\n", static_cast<int>(level), message)
                            : fmt::format("mcr: {}: {}\n", name_of(level), message);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mcr::log
