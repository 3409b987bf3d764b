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

std::optional<Instance> Instance::claim(unsigned number) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) throw_errno("open", "Unix socket");
  const auto name = fmt::format("mcr-fastpath-{}", number);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[1], name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0)
    return Instance(number, std::move(socket));
  if (errno != EADDRINUSE) throw_errno("bind", name);
  return std::nullopt;
}

Instance Instance::claim_any() {
  for (unsigned number = 0; number < most; ++number)
    if (auto instance = claim(number)) return std::move(*instance);
  throw Failure(ExitCode::unavailable,
                fmt::format("{} relays use the kernel's way on this host already", most));
}

}  // namespace mcr::fastpath
