#include "mcr/program/process_metrics.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace mcr {

namespace {

/// Fields of /proc/self/stat, numbered as in proc_pid_stat(5).
constexpr std::size_t utime = 14;
constexpr std::size_t stime = 15;
constexpr std::size_t start_time = 22;
constexpr std::size_t virtual_bytes = 23;
constexpr std::size_t resident_pages = 24;

/// The fields from the third on: the second, the program's name, may have blanks and parentheses.
std::vector<std::string> read_stat() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream rest(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  return {std::istream_iterator<std::string>(rest), {}};
}

std::optional<double> field(const std::vector<std::string>& stat, std::size_t number) {
  if (stat.size() + 3 <= number) return std::nullopt;
  return std::strtod(stat[number - 3].c_str(), nullptr);
}

/// CLOCK_REALTIME of the start of the host, which the kernel counts a process's start from.
double boot_time() {
  timespec now{};
  timespec since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return static_cast<double>(now.tv_sec - since_boot.tv_sec) +
         static_cast<double>(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

/// Less the one that reads the folder.
std::optional<double> count_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(folder), end(folder)) - 1);
}

std::optional<double> most_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

void add(std::string& text, std::string_view name, std::string_view type, std::string_view help,
         std::optional<double> value, double scale = 1) {
  if (!value) return;
  text += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3:.15g}\n", name, type, help,
                      *value * scale);
}

}  // namespace

std::string process_metrics() {
  const auto stat = read_stat();
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  auto cpu = field(stat, utime);
  if (cpu) *cpu += field(stat, stime).value_or(0);
  auto start = field(stat, start_time);
  if (start) *start = boot_time() + *start * tick;

  std::string text;
  add(text, "process_cpu_seconds_total", "counter", "CPU time, user and system.", cpu, tick);
  add(text, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.", start);
  add(text, "process_resident_memory_bytes", "gauge", "Memory that is resident.",
      field(stat, resident_pages), page);
  add(text, "process_virtual_memory_bytes", "gauge", "Address space.", field(stat, virtual_bytes));
  add(text, "process_open_fds", "gauge", "Open file descriptors.", count_descriptors());
  add(text, "process_max_fds", "gauge", "Most file descriptors that may be open.",
      most_descriptors());
  return text;
}

}  // namespace mcr
