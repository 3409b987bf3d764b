// Doctor's look at what reflectors need beside MCR.
#pragma once

#include <span>
#include <vector>

#include "mcr/status/doctor.hpp"

namespace mcr {

struct Rule;

void judge_discovery(std::span<const Rule> rules, const HostFacts& host,
                     std::vector<Finding>& findings);

/// 224.0.0.0/24 and IPv6 groups of the link: bridges and switches pass them to all ports, whoever
/// has joined (RFC 4541, section 2.1.2).
[[nodiscard]] bool is_flooded(const IpAddress& group) noexcept;

}  // namespace mcr
