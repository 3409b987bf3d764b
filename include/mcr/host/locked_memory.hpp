// RLIMIT_MEMLOCK, and who has used it up. All processes of one user share what it allows.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

namespace mcr {

/// The advice how to raise the limit.
inline constexpr std::string_view raise_locked_memory =
    "LimitMEMLOCK=infinity in the service, ulimit -l unlimited in a shell";

/// Memory that a process has locked (mlock(2)) or pinned (buffers registered with io_uring).
struct LockedMemory {
  std::string program;
  std::uint64_t user = 0;  ///< real id
  std::uint64_t bytes = 0;
};

/// Reads the text of /proc/PID/status. Nothing: it lacks a name or a user.
[[nodiscard]] std::optional<LockedMemory> read_locked_memory(std::istream& proc_pid_status);

/// The limit, who holds the most of it, and the remedy, as the end of an error's text; "" where no
/// limit is to blame. Not all can be told: the kernel names no owner for rings.
[[nodiscard]] std::string about_locked_memory();

}  // namespace mcr
