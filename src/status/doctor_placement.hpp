// Doctor's look at the CPUs that workers share with the kernel.
#pragma once

#include <vector>

#include "mcr/status/doctor.hpp"

namespace mcr {

/// Judges the interfaces that rules receive from. Silent where the kernel does not tell which CPUs
/// receive, and where all CPUs do, so that there is no better place.
void judge_placement(const Config& config, const HostFacts& host, std::vector<Finding>& findings);

}  // namespace mcr
