#include "mcr/redundancy/on_air.hpp"

#include <utility>
#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace mcr::redundancy;
using namespace std::chrono_literals;
using Revert = Failover::Revert;

namespace {

const InputLook::Time start{1'000s};

/// Inputs that are heard at certain times, looked at each 10 ms.
struct Air {
  explicit Air(std::size_t inputs = 2) : looks(inputs), heard(inputs, true) {
    for (std::size_t i = 0; i < inputs; ++i)
      looks[i].priority = static_cast<std::uint8_t>(i + 1);
    on_air.begin(looks, now);
  }
  void pass(std::chrono::milliseconds time) {
    for (const auto end = now + time; now < end; now += 10ms) {
      for (std::size_t i = 0; i < looks.size(); ++i)
        if (heard[i]) looks[i].last_seen = now;
      if (on_air.look(wanted, looks, now)) switched.push_back(now);
    }
  }
  /// Switches in the last `time`.
  [[nodiscard]] std::size_t switches() const { return switched.size(); }

  Failover wanted{300ms, 10s, Revert::automatic, 1s};
  InputLook::Time now = start;
  std::vector<InputLook> looks;
  std::vector<bool> heard;
  std::vector<InputLook::Time> switched;
  OnAir on_air;
};

}  // namespace

TEST_CASE("the input with the lowest priority is on air") {
  Air air;
  air.pass(5s);
  CHECK(air.on_air.on_air() == 0);
  CHECK(air.switches() == 0);
  CHECK(air.on_air.healthy(0));
  CHECK(air.on_air.healthy(1));
}

TEST_CASE("a silent one is left after `after`, and taken back after `hold`") {
  Air air;
  air.pass(5s);
  air.heard[0] = false;
  air.pass(290ms);
  CHECK(air.on_air.on_air() == 0);
  air.pass(30ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.last()->why == OnAir::Why::failed);
  CHECK(air.on_air.why_not(0, air.wanted, air.now) == "silent for 0.3 s");
  air.heard[0] = true;
  air.pass(9'900ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK_FALSE(air.on_air.healthy(0));
  air.pass(200ms);
  CHECK(air.on_air.on_air() == 0);
  CHECK(air.on_air.last()->why == OnAir::Why::reverted);
  CHECK(air.switches() == 2);
}

namespace {

/// The second and the third of three inputs are not warm. They bring nothing until they are joined.
struct ColdAir : Air {
  ColdAir() : Air(3) {
    looks[1].warm = looks[2].warm = false;
    heard[1] = heard[2] = false;
    on_air.begin(looks, now);
  }
  [[nodiscard]] std::pair<bool, bool> joined() const {
    return {on_air.joined(1), on_air.joined(2)};
  }
  static constexpr std::pair none{false, false};
  static constexpr std::pair both{true, true};
};

}  // namespace

TEST_CASE("what is not warm is joined only while it is needed") {
  ColdAir air;
  CHECK(air.joined() == ColdAir::none);
  air.pass(5s);
  CHECK(air.on_air.joined(0));
  CHECK(air.joined() == ColdAir::none);
  CHECK_FALSE(air.on_air.healthy(1));
  CHECK(air.on_air.why_not(1, air.wanted, air.now) == "not joined: warm = false");

  air.heard[0] = false;
  air.pass(290ms);
  CHECK(air.joined() == ColdAir::none);
  air.pass(30ms);
  CHECK(air.joined() == ColdAir::both);
  CHECK(air.on_air.on_air() == 0);  // until another one is heard
  CHECK(air.on_air.why_not(1, air.wanted, air.now) == "never heard");

  SECTION("the one on air returns before another one is heard") {
    air.heard[0] = true;
    air.pass(9'900ms);
    CHECK(air.joined() == ColdAir::both);
    air.pass(200ms);
    CHECK(air.joined() == ColdAir::none);
    CHECK(air.switches() == 0);
  }
  SECTION("when it is joined again it has to be heard again") {
    air.heard[1] = true;
    air.pass(20ms);
    CHECK(air.on_air.on_air() == 1);
    air.heard[0] = true;
    air.pass(11s);
    CHECK(air.joined() == ColdAir::none);
    air.heard[0] = air.heard[1] = false;
    air.pass(2s);
    CHECK(air.joined() == ColdAir::both);
    CHECK(air.on_air.on_air() == 0);
    CHECK(air.switches() == 2);
  }
}

TEST_CASE("not warm: the first that is heard is on air, and all are left when that one is well") {
  ColdAir air;
  air.heard[0] = false;
  air.pass(1s);
  air.heard[2] = true;
  air.pass(20ms);
  CHECK(air.on_air.on_air() == 2);
  CHECK(air.on_air.last()->why == OnAir::Why::failed);
  air.pass(9'900ms);
  CHECK(air.joined() == ColdAir::both);
  air.pass(1s);
  CHECK(air.joined() == ColdAir::both);  // the second one has a better priority
  air.heard[0] = true;
  air.pass(9'900ms);
  CHECK(air.joined() == ColdAir::both);
  air.pass(200ms);
  CHECK(air.on_air.on_air() == 0);
  CHECK(air.on_air.last()->why == OnAir::Why::reverted);
  CHECK(air.joined() == ColdAir::none);
  CHECK(air.switches() == 2);
}

TEST_CASE("what is not warm has no grace when the relay has just begun") {
  Air air;
  air.looks[1].warm = false;
  air.on_air.begin(air.looks, air.now);
  air.heard[1] = false;
  air.looks[0].usable = false;
  air.pass(2s);
  CHECK(air.on_air.joined(1));
  CHECK(air.on_air.on_air() == 0);
  CHECK(air.switches() == 0);
}

TEST_CASE("not warm, and the one on air is not as expected") {
  Air air;
  air.looks[1].warm = false;
  air.on_air.begin(air.looks, air.now);
  air.looks[0].shortcoming = "5% lost";
  air.pass(1s);
  CHECK(air.on_air.joined(1));
  CHECK(air.on_air.on_air() == 0);  // nobody knows yet if the other one is better
  air.pass(10s);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.last()->why == OnAir::Why::poor);
}

TEST_CASE("not warm, and by hand: joined, and on air as soon as it is heard") {
  Air air;
  air.looks[1].warm = false;
  air.on_air.begin(air.looks, air.now);
  const bool alive = GENERATE(true, false);
  air.heard[1] = false;
  air.pass(1s);
  air.on_air.put_on_air(1, {}, air.now);
  air.pass(100ms);
  CHECK(air.on_air.joined(1));
  CHECK(air.on_air.on_air() == 0);
  air.heard[1] = alive;
  air.pass(20ms);
  CHECK(air.on_air.on_air() == (alive ? 1 : 0));
  air.pass(300ms);
  CHECK(air.on_air.on_air() == 1);  // whatever becomes of it
  air.on_air.release();
  air.pass(20ms);
  CHECK(air.on_air.on_air() == 0);
  CHECK_FALSE(air.on_air.joined(1));
}

TEST_CASE("of equal ones that are not warm one is joined") {
  Air air;
  for (auto& look : air.looks) {
    look.warm = false;
    look.priority = 1;
  }
  air.on_air.begin(air.looks, air.now);
  air.pass(1s);
  CHECK(air.on_air.joined(0));
  CHECK_FALSE(air.on_air.joined(1));
  air.heard[0] = false;
  air.pass(1s);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.joined(0));
  air.pass(10s);
  CHECK_FALSE(air.on_air.joined(0));
  CHECK(air.switches() == 1);
}

TEST_CASE("who reverts") {
  struct Case {
    Revert revert;
    bool after_hold;
    bool after_release;
  };
  const auto [revert, after_hold, after_release] =
      GENERATE(values<Case>({{Revert::automatic, true, true},
                             {Revert::manual, false, true},
                             {Revert::never, false, false}}));
  Air air;
  air.wanted.revert = revert;
  air.heard[0] = false;
  air.pass(1s);
  REQUIRE(air.on_air.on_air() == 1);
  air.heard[0] = true;
  air.pass(12s);
  CHECK((air.on_air.on_air() == 0) == after_hold);
  air.on_air.put_on_air(1, {}, air.now);
  air.pass(100ms);
  air.on_air.release();
  air.pass(100ms);
  CHECK((air.on_air.on_air() == 0) == after_release);
}

TEST_CASE("a hold with a break begins anew") {
  Air air;
  air.heard[0] = false;
  air.pass(1s);
  air.heard[0] = true;
  air.pass(8s);
  air.heard[0] = false;
  air.pass(400ms);
  air.heard[0] = true;
  air.pass(9s);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.switches() == 1);
}

TEST_CASE("a flapping source is left once in half a minute, whatever hold is") {
  Air air;
  air.wanted.hold = 100ms;
  for (int i = 0; i < 30; ++i) {
    air.heard[0] = i % 2 == 0;
    air.pass(1s);
  }
  CHECK(air.switches() <= 3);  // left, taken back, and left for good
  const auto before = air.switches();
  for (int i = 0; i < 60; ++i) {
    air.heard[0] = i % 2 == 0;
    air.pass(1s);
  }
  CHECK(air.switches() == before);
  CHECK(air.on_air.on_air() == 1);
  air.heard[0] = true;
  air.pass(31s);
  CHECK(air.on_air.on_air() == 0);
}

TEST_CASE("dead inputs are not flipped between, and the first to return wins at once") {
  Air air(3);
  air.pass(2s);
  air.heard = {false, false, false};
  air.pass(60s);
  CHECK(air.switches() == 0);
  CHECK(air.on_air.on_air() == 0);
  const auto first = GENERATE(1U, 2U);
  air.heard[first] = true;
  air.pass(20ms);
  CHECK(air.on_air.on_air() == first);
  SECTION("also within min_stay") {
    air.heard[first] = false;
    air.pass(400ms);
    air.heard[3 - first] = true;
    air.pass(20ms);
    CHECK(air.on_air.on_air() == 3 - first);
  }
}

TEST_CASE("min_stay lies between two switches") {
  Air air(3);
  air.wanted.min_stay = 5s;
  air.heard[0] = false;
  air.pass(400ms);
  REQUIRE(air.on_air.on_air() == 1);
  air.heard[1] = false;
  air.pass(4'500ms);
  CHECK(air.on_air.on_air() == 1);
  air.pass(500ms);
  CHECK(air.on_air.on_air() == 2);
}

TEST_CASE("a good one goes before one that proves itself, whatever their priorities") {
  Air air(3);
  air.heard[1] = false;
  air.pass(1s);
  air.heard[1] = true;
  air.pass(1s);
  air.heard[0] = false;
  air.pass(400ms);
  CHECK(air.on_air.on_air() == 2);
  air.pass(10s);
  CHECK(air.on_air.on_air() == 1);
}

TEST_CASE("an input that cannot be used fails at once") {
  Air air;
  air.pass(1s);
  air.looks[0].usable = false;
  air.pass(10ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.why_not(0, air.wanted, air.now) == "it cannot be used");
}

TEST_CASE("an input that is not as expected is left for a good one, and taken back when it is") {
  Air air;
  air.pass(5s);
  air.looks[0].shortcoming = "5% lost";
  air.pass(10ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.last()->why == OnAir::Why::poor);
  CHECK(air.on_air.why_not(0, air.wanted, air.now) == "5% lost");
  SECTION("it is taken back") {
    air.looks[0].shortcoming.clear();
    air.pass(9s);
    CHECK(air.on_air.on_air() == 1);
    air.pass(2s);
    CHECK(air.on_air.on_air() == 0);
  }
  SECTION("a poor one is better than a dead one") {
    air.heard[1] = false;
    air.pass(2s);
    CHECK(air.on_air.on_air() == 0);
    CHECK(air.on_air.last()->why == OnAir::Why::failed);
  }
}

TEST_CASE("where none is as expected the one on air stays") {
  Air air;
  air.pass(5s);
  air.looks[1].shortcoming = "7% lost";
  air.pass(10ms);
  air.looks[0].shortcoming = "5% lost";
  air.pass(20s);
  CHECK(air.switches() == 0);
  air.looks[1].shortcoming.clear();
  air.pass(9s);
  CHECK(air.switches() == 0);
  air.pass(2s);
  CHECK(air.on_air.on_air() == 1);
}

TEST_CASE("by hand: the chosen one, dead or alive, for as long as was said") {
  Air air;
  air.pass(1s);
  air.on_air.put_on_air(1, 5s, air.now);
  air.pass(10ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.last()->why == OnAir::Why::by_hand);
  air.heard[1] = false;
  air.pass(4'900ms);
  CHECK(air.on_air.on_air() == 1);
  CHECK(air.on_air.by_hand());
  air.pass(200ms);
  CHECK(air.on_air.on_air() == 0);
  CHECK_FALSE(air.on_air.by_hand());
}

TEST_CASE("an input that comes late has not failed before") {
  Air air;
  air.heard[0] = false;
  air.pass(1s);
  air.heard[0] = true;
  air.pass(11s);
  REQUIRE(air.on_air.on_air() == 0);
  air.heard[0] = false;
  air.pass(1s);
  air.heard[0] = true;
  air.pass(11s);
  CHECK(air.on_air.on_air() == 0);
}

TEST_CASE("nothing was heard yet") {
  Air air;
  air.heard = {false, false};
  air.pass(1s);
  CHECK(air.on_air.why_not(0, air.wanted, air.now) == "never heard");
  air.heard[1] = true;
  air.pass(10ms);
  CHECK(air.on_air.on_air() == 1);
}
