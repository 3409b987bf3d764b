#include "mcr/base/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

/// Whoever shares our standard output may have made it non-blocking.
void wait_for_room() noexcept {
  pollfd wait{STDOUT_FILENO, POLLOUT, 0};
  ::poll(&wait, 1, -1);
}

}  // namespace

void write_output(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0)
      text.remove_prefix(static_cast<std::size_t>(count));
    else if (errno == EAGAIN)
      wait_for_room();
    else if (errno != EINTR)
      throw_errno("write to", "standard output");
  }
}

void occupy_standard_descriptors() {
  constexpr std::array wrong_way{std::pair{STDIN_FILENO, O_WRONLY},
                                 std::pair{STDOUT_FILENO, O_RDONLY},
                                 std::pair{STDERR_FILENO, O_RDONLY}};
  for (const auto& [descriptor, mode] : wrong_way)
    // open(2) takes the lowest free number, and those below this one are taken.
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", mode) != descriptor)
      throw_errno("open", "/dev/null");
}

}  // namespace mcr
