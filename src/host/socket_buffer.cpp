#include "mcr/host/socket_buffer.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "mcr/base/error.hpp"

namespace mcr {

std::uint32_t ask_for_buffer(Fd socket, SocketBuffer which, std::uint64_t bytes) {
  constexpr std::uint64_t most = 1U << 30U;  // the kernel doubles it, in an int
  const bool receive = which == SocketBuffer::receive;
  const int option = receive ? SO_RCVBUF : SO_SNDBUF;
  const int force = receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE;
  const int wanted = static_cast<int>(std::min(bytes, most));
  if (::setsockopt(socket.get(), SOL_SOCKET, force, &wanted, sizeof wanted) != 0)
    ::setsockopt(socket.get(), SOL_SOCKET, option, &wanted, sizeof wanted);
  int granted = 0;
  socklen_t length = sizeof granted;
  if (::getsockopt(socket.get(), SOL_SOCKET, option, &granted, &length) != 0)
    throw_errno("read socket buffer size");
  return static_cast<std::uint32_t>(granted);
}

}  // namespace mcr
