// Keeps this process's memory from being paged out (mlockall(2), mlock2(2)).
#pragma once

#include <cstdint>
#include <string_view>

namespace mcr {

enum class MemoryLock : std::uint8_t {
  none,  ///< RLIMIT_MEMLOCK has no room for the program and for what a worker calls of libraries
  code,  ///< these, and of the rest of the libraries what there was room for
  all,   ///< what there is and what comes, each page when it is touched first
};
/// "no", "code", "all".
[[nodiscard]] std::string_view to_string(MemoryLock lock) noexcept;

/// For good. Reports what could be locked. Theory in memory_lock.cpp.
MemoryLock lock_memory() noexcept;

}  // namespace mcr
