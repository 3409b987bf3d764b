// Fills a Status: the one place that asks the relay and the host for what status and metrics show.
#pragma once

#include <chrono>
#include <vector>

#include "mcr/control/relay.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/status/status.hpp"

namespace mcr::status {

/// Control thread only. `links`: of all interfaces. Reads the kernel's counters of the sockets, and
/// asks each interface in use for its GRO setting (ethtool). What is refused there shows as off.
[[nodiscard]] Status collect(Relay& relay, Process process, const std::vector<LinkStats>& links,
                             std::chrono::steady_clock::time_point now);

}  // namespace mcr::status
