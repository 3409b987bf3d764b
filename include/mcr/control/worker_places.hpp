// How many workers run, and where each is pinned. Pure.
#pragma once

#include <optional>
#include <vector>

#include "mcr/host/cpus.hpp"

namespace mcr {

struct Daemon;

/// The CPU of each worker: [daemon] cpus, else the first of `allowed`, one for each of [daemon]
/// workers, or of at most 4. Nothing: it is not pinned, since there are more workers than CPUs.
[[nodiscard]] std::vector<std::optional<unsigned>> place_workers(const Daemon& daemon,
                                                                 const Cpus& allowed);

}  // namespace mcr
