// What the process may do besides what anybody may: capabilities(7) and limits.
#pragma once

#include <span>

namespace mcr {

/// Gives up, for good, every capability that is not listed (CAP_* of linux/capability.h; those that
/// the process does not have stay away), and that a program it executes may have more than it
/// (PR_SET_NO_NEW_PRIVS). Of the calling thread and those it starts: call it before there are
/// others. Throws OsError.
void keep_only(std::span<const unsigned> capabilities);

/// As many descriptors and as much locked memory as are allowed: thousands of groups take hundreds
/// of sockets, and zero-copy sends are charged to RLIMIT_MEMLOCK (io_uring_enter(2)). Best effort.
void raise_limits() noexcept;

}  // namespace mcr
