// Doctor's look at the CPUs that workers share with the kernel.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "mcr/config/fast_path_mode.hpp"
#include "mcr/status/doctor.hpp"

namespace mcr {

struct Rule;

/// Judges the interfaces that rules receive from. Silent where the kernel does not tell which CPUs
/// receive, and where all CPUs do, so that there is no better place.
/// `places`: of the workers, as place_workers() gives them.
void judge_placement(std::span<const Rule> rules, std::span<const std::optional<unsigned>> places,
                     FastPathMode mode, const HostFacts& host, std::vector<Finding>& findings);

}  // namespace mcr
