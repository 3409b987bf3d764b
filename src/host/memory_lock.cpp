// A page that was paged out costs whoever touches it next a read from the disk: a worker stood
// still for 50 to 800 ms on a busy host. Code goes first, since it needs no swap: its pages are
// clean.
//
// Only touched pages are locked (MCL_ONFAULT), as the large tables of a worker are mostly empty.
// RLIMIT_MEMLOCK counts them whole all the same. Under a limit nothing that grows may be locked:
// the kernel would refuse later allocations, and the growth of a stack by a signal. What remains is
// program and libraries, which are most of what a worker touches: first the program and what a
// worker calls (7.5 MB, so that 8 MiB are enough), then the rest, as far as there is room.
#include "mcr/host/memory_lock.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace mcr {

namespace {

constexpr std::array<std::string_view, 5> called_by_workers{"ld-linux", "libc.so", "libgcc_s.so",
                                                            "libstdc++.so", "liburing.so"};

/// A mapping of a file that nobody writes to.
struct Range {
  std::uintptr_t first = 0;
  std::uintptr_t end = 0;
  bool runs = false;  ///< executable
  std::string path{};
};

/// Reads a line of /proc/self/maps. Empty unless it is such a mapping.
Range constant_file(const std::string& line) {
  Range range;
  std::istringstream words(line);
  std::string addresses;
  std::string rights;
  std::string offset;
  std::string device;
  std::string inode;
  words >> addresses >> rights >> offset >> device >> inode >> range.path;
  if (!range.path.starts_with('/') || rights.size() != 4 || rights[0] != 'r' || rights[1] != '-')
    return range;
  const auto dash = addresses.find('-');
  if (dash == std::string::npos) return range;
  range.first = std::stoull(addresses, nullptr, 16);
  range.end = std::stoull(addresses.substr(dash + 1), nullptr, 16);
  range.runs = rights[2] == 'x';
  return range;
}

std::vector<Range> constant_files() {
  std::vector<Range> ranges;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (auto range = constant_file(line); range.first != range.end)
      ranges.push_back(std::move(range));
  return ranges;
}

/// The program, and what runs of the libraries that a worker calls.
bool is_needed(const Range& range, const std::string& program) {
  if (range.path == program) return true;
  const auto name = std::string_view(range.path).substr(range.path.rfind('/') + 1);
  return range.runs && std::ranges::any_of(called_by_workers,
                                           [&](auto begin) { return name.starts_with(begin); });
}

bool lock(const Range& range) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel wrote it as a number
  auto* first = reinterpret_cast<void*>(range.first);
  return ::mlock2(first, range.end - range.first, MLOCK_ONFAULT) == 0;
}

/// True if all that is needed could be locked.
bool lock_code() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto ranges = constant_files();
  bool all = !ranges.empty();
  for (const bool needed : {true, false})
    for (const auto& range : ranges)
      if (is_needed(range, program) == needed && !lock(range) && needed) all = false;
  return all;
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
