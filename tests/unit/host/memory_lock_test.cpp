#include "mcr/host/memory_lock.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "catch.hpp"

using namespace mcr;

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21  // Linux 5.4
#endif

namespace {

constexpr std::size_t bytes = 64 * std::size_t{4096};

long faults_that_read() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_majflt;
}

long touch(const volatile char* memory) {
  const auto before = faults_that_read();
  for (std::size_t at = 0; at < bytes; at += 4096)
    (void)memory[at];
  return faults_that_read() - before;
}

/// In a process of its own: how many pages of a file, mapped as code is, are read from the disk
/// after they were paged out. Nothing: it cannot be tried here.
std::optional<int> pages_read_again(bool lock, bool limited) {
  const auto child = ::fork();
  if (child == 0) {
    constexpr int cannot = 255;
    std::array<char, 32> name{"/var/tmp/mcr-lock-XXXXXX"};  // on a disk; no tmpfs
    const int file = ::mkstemp(name.data());
    ::unlink(name.data());
    static std::array<char, bytes> content;
    if (::write(file, content.data(), bytes) != static_cast<ssize_t>(bytes) || ::fsync(file) != 0)
      ::_exit(cannot);
    if (limited) {
      const rlimit low{64 << 20, 64 << 20};
      ::setrlimit(RLIMIT_MEMLOCK, &low);
    }
    void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) ::_exit(cannot);
    touch(static_cast<char*>(map));
    if (lock && lock_memory() == MemoryLock::none) ::_exit(cannot);
    ::madvise(map, bytes, MADV_PAGEOUT);
    const auto again = touch(static_cast<char*>(map));
    ::_exit(static_cast<int>(std::min(again, 254L)));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 255) return std::nullopt;
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("locked memory cannot be paged out", "[memory]") {
  const bool limited = GENERATE(false, true);
  CAPTURE(limited);
  const auto unlocked = pages_read_again(false, limited);
  const auto locked = pages_read_again(true, limited);
  if (!unlocked || !locked || *unlocked == 0) {
    WARN("nothing can be paged out, or locked, here");
    return;
  }
  CHECK(*locked == 0);
}
