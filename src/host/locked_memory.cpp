#include "mcr/host/locked_memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "mcr/base/printable.hpp"

namespace mcr {

namespace {

constexpr std::size_t named_at_most = 3;

/// "mcr (process 12) 4352 KiB, ..."; "" if nobody can be named.
std::string holders() {
  struct Holder {
    std::string process;
    LockedMemory memory;
  };
  std::vector<Holder> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
    auto process = entry.path().filename().string();
    if (!std::ranges::all_of(process, [](char c) { return c >= '0' && c <= '9'; })) continue;
    std::ifstream status(entry.path() / "status");
    if (auto memory = read_locked_memory(status);
        memory && memory->bytes != 0 && memory->user == ::getuid())
      found.push_back({std::move(process), std::move(*memory)});
  }
  std::ranges::sort(found, std::greater{},
                    [](const Holder& holder) { return holder.memory.bytes; });
  found.resize(std::min(found.size(), named_at_most));
  std::string text;
  for (const auto& [process, memory] : found)
    text += fmt::format("{}{} (process {}) {} KiB", text.empty() ? "" : ", ",
                        printable(memory.program), process, memory.bytes / 1024);
  return text;
}

}  // namespace

std::optional<LockedMemory> read_locked_memory(std::istream& proc_pid_status) {
  LockedMemory memory;
  bool has_user = false;
  for (std::string line; std::getline(proc_pid_status, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t number = 0;
    words >> key;
    if (key == "Name:")
      words >> memory.program;
    else if (key == "Uid:")
      has_user = static_cast<bool>(words >> memory.user);
    else if ((key == "VmLck:" || key == "VmPin:") && words >> number)
      memory.bytes += number * 1024;
  }
  if (memory.program.empty() || !has_user) return std::nullopt;
  return memory;
}

std::string about_locked_memory() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  const auto known = holders();
  return fmt::format(
      "; all processes of one user together may lock RLIMIT_MEMLOCK = {} KiB, and other relays "
      "or programs with io_uring hold the rest{}. Raise it ({}) or give mcr run CAP_IPC_LOCK",
      limit.rlim_cur / 1024, known.empty() ? "" : ": " + known, raise_locked_memory);
}

}  // namespace mcr
