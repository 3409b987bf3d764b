#include "mcr/host/socket.hpp"

#include <algorithm>

namespace mcr {

bool SocketOptions::attach_filter(std::span<const sock_filter> program) const noexcept {
  const sock_fprog description{static_cast<unsigned short>(program.size()),
                               const_cast<sock_filter*>(program.data())};
  return try_set(SOL_SOCKET, SO_ATTACH_FILTER, description);
}

// The kernel ignores the value, but refuses one that is shorter than an int.
bool SocketOptions::detach_filter() const noexcept {
  return try_set(SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void SocketOptions::receive_nothing(std::string_view whose) const {
  if (!attach_filter(pass_nothing)) throw_errno("close socket for receiving", whose);
}

std::uint32_t SocketOptions::ask_for_buffer(SocketBuffer which, std::uint64_t bytes) const {
  constexpr std::uint64_t most = 1U << 30U;  // the kernel doubles it, in an int
  const bool receive = which == SocketBuffer::receive;
  const int option = receive ? SO_RCVBUF : SO_SNDBUF;
  const int wanted = static_cast<int>(std::min(bytes, most));
  if (!try_set(SOL_SOCKET, receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, wanted))
    try_set(SOL_SOCKET, option, wanted);
  return static_cast<std::uint32_t>(read<int>(SOL_SOCKET, option, "read socket buffer size"));
}

void SocketOptions::bind_to_device(std::string_view interface) const {
  if (::setsockopt(get(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                   static_cast<socklen_t>(interface.size())) != 0)
    throw_errno("bind to", interface);
}

}  // namespace mcr
