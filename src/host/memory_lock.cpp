// A page that was paged out costs whoever touches it next a read from the disk: a worker stood
// still for 50 to 800 ms on a busy host. Code goes first, since it needs no swap: its pages are
// clean.
//
// Only touched pages are locked (MCL_ONFAULT), as the large tables of a worker are mostly empty.
// RLIMIT_MEMLOCK counts them whole all the same. Under a limit nothing that grows may be locked:
// the kernel would refuse later allocations, and the growth of a stack by a signal. What remains is
// program and libraries, which are most of what a worker touches.
#include "mcr/host/memory_lock.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace mcr {

namespace {

struct Range {
  std::uintptr_t first = 0;
  std::uintptr_t end = 0;
};

/// Reads a line of /proc/self/maps. Empty unless it is a file's and nobody writes to it.
Range constant_file(const std::string& line) {
  Range range;
  std::istringstream words(line);
  std::string addresses;
  std::string rights;
  std::string offset;
  std::string device;
  std::string inode;
  std::string path;
  words >> addresses >> rights >> offset >> device >> inode >> path;
  if (!path.starts_with('/') || rights.size() != 4 || rights[0] != 'r' || rights[1] != '-')
    return range;
  const auto dash = addresses.find('-');
  if (dash == std::string::npos) return range;
  range.first = std::stoull(addresses, nullptr, 16);
  range.end = std::stoull(addresses.substr(dash + 1), nullptr, 16);
  return range;
}

/// True if at least the first one, the program's, could be locked.
bool lock_code() {
  bool any = false;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto range = constant_file(line);
    if (range.first == range.end) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel wrote it as a number
    if (::mlock2(reinterpret_cast<void*>(range.first), range.end - range.first, MLOCK_ONFAULT) != 0)
      break;
    any = true;
  }
  return any;
}

}  // namespace

std::string_view to_string(MemoryLock lock) noexcept {
  return lock == MemoryLock::all ? "all" : lock == MemoryLock::code ? "code" : "no";
}

MemoryLock lock_memory() noexcept try {
  rlimit limit{};
  const bool unlimited =
      ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
  if (unlimited && ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return MemoryLock::all;
  return lock_code() ? MemoryLock::code : MemoryLock::none;
} catch (const std::exception&) {
  return MemoryLock::none;
}

}  // namespace mcr
