// Facts of this host for `mcr doctor`: asked of the kernel, /proc, /sys and ethtool. Changes
// nothing. A fact that cannot be read stays as HostFacts has it.
#pragma once

#include <span>

#include "mcr/status/doctor.hpp"

namespace mcr {

struct Rule;

/// `rules`: their interfaces and the next hops of their outputs are looked at more closely. Throws
/// OsError where netlink does not answer.
[[nodiscard]] HostFacts inspect_host(std::span<const Rule> rules);

}  // namespace mcr
