#include "mcr/control/worker_places.hpp"

#include <algorithm>

#include "mcr/config/daemon.hpp"

namespace mcr {

namespace {

constexpr std::size_t most_workers_by_default = 4;

}  // namespace

std::vector<std::optional<unsigned>> place_workers(const Daemon& daemon, const Cpus& allowed) {
  std::vector<std::optional<unsigned>> places(daemon.cpus.begin(), daemon.cpus.end());
  if (!places.empty()) return places;
  const auto by_default = std::clamp<std::size_t>(allowed.size(), 1, most_workers_by_default);
  const std::size_t count = daemon.workers.value_or(static_cast<unsigned>(by_default));
  if (count > allowed.size()) return std::vector<std::optional<unsigned>>(count);
  auto cpu = allowed.begin();
  for (std::size_t i = 0; i < count; ++i)
    places.emplace_back(*cpu++);
  return places;
}

}  // namespace mcr
