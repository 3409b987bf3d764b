// An abstract name of a Unix socket (unix(7)) belongs to a network namespace, as interfaces do, and
// the kernel gives it back with the process.
#include "mcr/fastpath/instance.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "mcr/base/error.hpp"

namespace mcr::fastpath {

namespace {

struct Name {
  sockaddr_un address{};
  socklen_t length = 0;

  explicit Name(unsigned number) {
    const auto text = fmt::format("mcr-fastpath-{}", number);
    address.sun_family = AF_UNIX;
    std::memcpy(&address.sun_path[1], text.data(), text.size());
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  }
  [[nodiscard]] const sockaddr* generic() const noexcept {
    return reinterpret_cast<const sockaddr*>(&address);
  }
};

UniqueFd open_socket() noexcept {
  return UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

std::optional<Instance> Instance::claim(unsigned number) {
  auto socket = open_socket();
  if (!socket.valid()) throw_errno("open", "Unix socket");
  const Name name(number);
  if (::bind(socket.get(), name.generic(), name.length) == 0)
    return Instance(number, std::move(socket));
  if (errno != EADDRINUSE) throw_errno("bind", fmt::format("name of instance {}", number));
  return std::nullopt;
}

Instance Instance::claim_any() {
  for (unsigned number = 0; number < most; ++number)
    if (auto instance = claim(number)) return std::move(*instance);
  throw Failure(ExitCode::unavailable,
                fmt::format("{} relays use the kernel's way on this host already", most));
}

/// Anybody may send here; what comes says only that it is worth to look.
void Instance::take_news() const noexcept {
  char byte = 0;
  for (int taken = 0; taken < 64; ++taken)
    if (::recv(name_.get(), &byte, sizeof byte, 0) < 0) return;
}

void Instance::tell_others(const Instance* own) noexcept {
  const auto socket = open_socket();
  for (unsigned number = 0; socket.valid() && number < most; ++number) {
    if (own != nullptr && own->number() == number) continue;
    const Name name(number);
    ::sendto(socket.get(), "", 0, 0, name.generic(), name.length);  // nobody there: nobody to tell
  }
}

}  // namespace mcr::fastpath
