// The privileges of this process: capabilities(7) and limits (setrlimit(2)).
#pragma once

#include <linux/capability.h>

#include <array>
#include <span>

namespace mcr {

/// The capabilities of a relay. CAP_NET_RAW, required: packet sockets, also of a later reload, and
/// foreign source addresses. Not required: CAP_NET_ADMIN: socket buffers above the sysctls, UDP
/// GRO. CAP_NET_BIND_SERVICE: ports below 1024.
inline constexpr std::array<unsigned, 3> relay_capabilities{CAP_NET_RAW, CAP_NET_ADMIN,
                                                            CAP_NET_BIND_SERVICE};
/// The same with `fast_path`. CAP_BPF: a new table for the kernel's program at a reload.
inline constexpr std::array<unsigned, 4> fast_path_capabilities{CAP_NET_RAW, CAP_NET_ADMIN,
                                                                CAP_NET_BIND_SERVICE, CAP_BPF};
/// Kept until the rings are set up and the kernel's program is loaded. CAP_IPC_LOCK: an io_uring
/// that is made with it is never charged to RLIMIT_MEMLOCK. CAP_PERFMON: without it the kernel's
/// verifier does not let the program put addresses together.
inline constexpr std::array<unsigned, 6> setup_capabilities{
    CAP_NET_RAW, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_BPF, CAP_PERFMON};

/// Gives up, for good, every capability that is not listed (CAP_* of linux/capability.h); those
/// that the process does not have stay away. A program that it executes can have no more either
/// (PR_SET_NO_NEW_PRIVS). Applies to the calling thread and to those that it starts later: call it
/// before there are others. Throws OsError.
void keep_only(std::span<const unsigned> capabilities);

/// True if the calling thread has the capability (CAP_*) in effect. Throws OsError.
[[nodiscard]] bool has_capability(unsigned capability);

/// Raises the limits of descriptors and of locked memory as far as the system permits: thousands of
/// groups take hundreds of sockets, and zero-copy sends are charged to RLIMIT_MEMLOCK
/// (io_uring_enter(2)). Does what it can and reports no failure.
void raise_limits() noexcept;

}  // namespace mcr
