#include "mcr/host/thread_usage.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace mcr {

namespace {

// Columns behind the name, which ends with the line's last parenthesis.
constexpr int to_utime = 11;      // 14 of the file
constexpr int to_processor = 23;  // 39, after utime and stime

bool skip(std::istream& text, int columns) {
  for (std::string column; columns != 0; --columns)
    text >> column;
  return bool(text);
}

}  // namespace

std::optional<ThreadUsage> read_thread_usage(std::istream& text, long ticks) {
  text.ignore(std::numeric_limits<std::streamsize>::max(), '(');
  std::string line;
  if (!std::getline(text, line)) return std::nullopt;
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream columns(line.substr(name_end + 1));
  long utime = 0;
  long stime = 0;
  ThreadUsage usage;
  if (!skip(columns, to_utime) || !(columns >> utime >> stime) || !skip(columns, to_processor) ||
      !(columns >> usage.last_cpu))
    return std::nullopt;
  usage.cpu_time = std::chrono::milliseconds(1000 * (utime + stime) / ticks);
  return usage;
}

std::optional<ThreadUsage> thread_usage(pid_t thread) {
  std::ifstream file(fmt::format("/proc/self/task/{}/stat", thread));
  return read_thread_usage(file, ::sysconf(_SC_CLK_TCK));
}

}  // namespace mcr
