// Multicast memberships of one socket: the system calls (ip(7), ipv6(7), RFC 3678) and nothing
// else.
#pragma once

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

/// A UDP socket that holds memberships: never bound, never read, and set to receive nothing of
/// what other sockets join. On failure not valid() and errno is set.
[[nodiscard]] UniqueFd open_membership_socket(Family family) noexcept;

/// Joins `group` on the interface of that index, for all sources or (with a source) for one.
/// Returns 0 or the errno value. Full sockets answer ENOBUFS, or ENOMEM for IPv6.
[[nodiscard]] int join_group(Fd socket, unsigned interface_index, const IpAddress& group,
                             const IpAddress& source) noexcept;

/// Leaves one source out of a group that the socket has joined for all sources. Returns 0 or the
/// errno value: ENOBUFS for more than the sysctls igmp_max_msf or mld_max_msf allow.
[[nodiscard]] int block_source(Fd socket, unsigned interface_index, const IpAddress& group,
                               const IpAddress& source) noexcept;

/// The reverse of join_group(), with the same arguments. The last source of a group leaves the
/// group.
[[nodiscard]] int leave_group(Fd socket, unsigned interface_index, const IpAddress& group,
                              const IpAddress& source) noexcept;

}  // namespace mcr
