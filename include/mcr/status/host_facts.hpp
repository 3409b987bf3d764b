// Facts of this host for `mcr doctor`: asked of the kernel, /proc, /sys and ethtool. Changes
// nothing. A fact that cannot be read stays as HostFacts has it.
#pragma once

#include <set>
#include <string>

#include "mcr/status/doctor.hpp"

namespace mcr {

/// `interfaces`: those to look at more closely. Throws OsError where netlink does not answer.
[[nodiscard]] HostFacts inspect_host(const std::set<std::string>& interfaces);

}  // namespace mcr
