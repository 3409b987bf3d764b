// The share of the CPUs that a thread of this process takes: proc_pid_stat(5), of the thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <istream>
#include <optional>

namespace mcr {

struct ThreadUsage {
  std::chrono::milliseconds cpu_time{0};  ///< since it began, in user and kernel mode
  unsigned last_cpu = 0;                  ///< on which it runs, or ran last

  friend bool operator==(const ThreadUsage&, const ThreadUsage&) = default;
};

/// Nothing: there is no such thread, or /proc cannot be read.
[[nodiscard]] std::optional<ThreadUsage> thread_usage(pid_t thread);
/// The same of the file's text. `ticks`: of a second, as in sysconf(_SC_CLK_TCK).
[[nodiscard]] std::optional<ThreadUsage> read_thread_usage(std::istream& text, long ticks);

}  // namespace mcr
