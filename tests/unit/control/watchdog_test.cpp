#include "mcr/control/watchdog.hpp"

#include <vector>

#include "catch.hpp"

using mcr::WorkerWatchdog;

TEST_CASE("a worker is stuck after three looks without a round") {
  struct Look {
    std::uint64_t rounds;
    bool changed;
    bool stuck;
  };
  const std::vector<Look> looks{{5, false, false}, {5, false, false}, {5, false, false},
                                {5, true, true},   {5, false, true},  {6, true, false},
                                {6, false, false}, {9, false, false}, {9, false, false}};
  WorkerWatchdog heartbeat;
  for (const auto& look : looks) {
    CHECK(heartbeat.sample(look.rounds) == look.changed);
    CHECK(heartbeat.stuck() == look.stuck);
  }
}

TEST_CASE("a worker that never began is stuck, too") {
  WorkerWatchdog heartbeat;
  for (unsigned i = 1; i < WorkerWatchdog::patience; ++i)
    CHECK_FALSE(heartbeat.sample(0));
  CHECK(heartbeat.sample(0));
}
