#include "mcr/control/stream_watch.hpp"

#include <array>

#include "catch.hpp"
#include "mcr/config/rule.hpp"

namespace {

using namespace mcr;
using namespace std::chrono_literals;

/// One input whose datagrams bear a number of one byte.
struct World {
  World() {
    rules.resize(1);
    rules[0].name = std::string("a");  // g++ 12 warns of a literal
    rules[0].inspect = Inspection{Inspection::Kind::sequence, {0, 1, false, 0, 0}};
    rules[0].inputs.resize(1);
    inspection = inspections.get(rules[0], rules[0].inputs[0]);
  }
  void send(unsigned number) const {
    const std::array payload{static_cast<std::byte>(number)};
    inspection->inspectors().inspect(0, {{IpAddress::v4(0x0A000001U), 5}, payload, 1, 1, 1000});
  }
  const StreamSight& look() {
    now += 1s;
    watch.tick(rules, inspections, now);
    return *watch.find("a", 0);
  }

  std::vector<Rule> rules;
  StreamInspections inspections;
  std::shared_ptr<const StreamInspection> inspection;
  StreamWatch watch;
  StreamWatch::Clock::time_point now{1000s};
};

}  // namespace

TEST_CASE("what is late for less than a tick is not lost for good") {
  World world;
  world.send(1);
  world.send(3);
  CHECK(world.look().now.counts.lost == 1);
  CHECK(world.look().lost_for_good == 1);
  world.send(5);
  CHECK(world.look().lost_for_good == 1);
  world.send(4);
  CHECK(world.look().now.counts.lost == 1);
  CHECK(world.look().lost_for_good == 1);
}

TEST_CASE("what was lost for good never falls") {
  World world;
  world.send(1);
  world.send(4);
  world.look();
  CHECK(world.look().lost_for_good == 2);
  world.send(3);
  CHECK(world.look().now.counts.lost == 1);
  CHECK(world.look().lost_for_good == 2);
  world.send(6);
  world.look();
  CHECK(world.look().lost_for_good == 2);
  world.send(8);
  world.look();
  CHECK(world.look().lost_for_good == 3);
}
