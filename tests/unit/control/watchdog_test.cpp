#include "mcr/control/watchdog.hpp"

#include <vector>

#include "catch.hpp"

using mcr::Heartbeat;

TEST_CASE("a worker is stuck after three looks without a round") {
  struct Look {
    std::uint64_t rounds;
    bool changed;
    bool stuck;
  };
  const std::vector<Look> looks{{5, false, false}, {5, false, false}, {5, false, false},
                                {5, true, true},   {5, false, true},  {6, true, false},
                                {6, false, false}, {9, false, false}, {9, false, false}};
  Heartbeat heartbeat;
  for (const auto& look : looks) {
    CHECK(heartbeat.look(look.rounds) == look.changed);
    CHECK(heartbeat.stuck() == look.stuck);
  }
}

TEST_CASE("a worker that never began is stuck, too") {
  Heartbeat heartbeat;
  for (unsigned i = 1; i < Heartbeat::patience; ++i)
    CHECK_FALSE(heartbeat.look(0));
  CHECK(heartbeat.look(0));
}
