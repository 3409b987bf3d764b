// A UDP port of this host, held so that the kernel does not refuse what is sent there.
#pragma once

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

/// Binds a UDP socket to `address` that receives nothing. While it is open, the kernel takes what
/// is sent there without an answer; else it would say "port unreachable" (ICMP, RFC 1122 section
/// 3.2.2.1). UDP GRO merges towards it where superframes can be read.
/// On failure not valid() and errno is set: EADDRINUSE where another program has the port.
[[nodiscard]] UniqueFd hold_port(const SocketAddress& address) noexcept;

}  // namespace mcr
