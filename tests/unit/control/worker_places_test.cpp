#include "mcr/control/worker_places.hpp"

#include "catch.hpp"
#include "mcr/config/daemon.hpp"

using namespace mcr;

TEST_CASE("workers are pinned to the CPUs that the user names, else to the first ones") {
  using Places = std::vector<std::optional<unsigned>>;
  struct Case {
    std::vector<unsigned> cpus;
    std::optional<unsigned> workers;
    Cpus allowed;
    Places places;
  };
  const std::vector<Case> cases{
      {{5, 3}, 2, {0, 1}, {5, 3}},
      {{}, {}, {2, 4}, {2, 4}},
      {{}, {}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3}},
      {{}, 5, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}},
      {{}, 1, {2, 4}, {2}},
      {{}, 3, {2, 4}, {std::nullopt, std::nullopt, std::nullopt}},
      {{}, {}, {}, {std::nullopt}},
  };
  for (const auto& [cpus, workers, allowed, places] : cases) {
    Daemon daemon;
    daemon.cpus = cpus;
    daemon.workers = workers;
    CHECK(place_workers(daemon, allowed) == places);
  }
}
