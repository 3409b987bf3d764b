// The size of a socket's buffers (socket(7), SO_RCVBUF and SO_SNDBUF).
#pragma once

#include <cstdint>

#include "mcr/base/fd.hpp"

namespace mcr {

enum class SocketBuffer : std::uint8_t { receive, send };

/// Asks for that many bytes, above the system's maximum where we may (CAP_NET_ADMIN of the host).
/// Returns what the kernel granted, as it accounts: twice what was asked for, half of it is for its
/// own bookkeeping. Throws OsError.
std::uint32_t ask_for_buffer(Fd socket, SocketBuffer which, std::uint64_t bytes);

}  // namespace mcr
