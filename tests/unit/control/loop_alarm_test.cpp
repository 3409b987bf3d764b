#include "mcr/control/loop_alarm.hpp"

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

TEST_CASE("loop alarm: a few echoes are none, many are, and it ends with them") {
  using Event = LoopAlarm::Event;
  LoopAlarm alarm;
  LoopAlarm::Time now{1h};
  const Endpoint source{IpAddress::v4(0x0A010109), 5353};
  const auto heard = [&](std::uint64_t datagrams) {
    now += 1s;
    return alarm.update({datagrams, false, source, 3}, 2 * datagrams, now);
  };
  CHECK(heard(0) == Event::none);
  CHECK(heard(7) == Event::none);
  now += 10s;
  CHECK(heard(7) == Event::none);
  CHECK(heard(8) == Event::none);  // after a pause it counts anew
  CHECK_FALSE(alarm.looping());
  CHECK(heard(15) == Event::began);
  CHECK(heard(20) == Event::none);
  CHECK(alarm.reason("eth1") ==
        "what it sends comes back on eth1 from 10.1.1.9:5353: 13 datagrams stopped");
  now += 5s;
  CHECK(heard(20) == Event::none);
  CHECK(alarm.looping());
  now += 5s;
  CHECK(heard(20) == Event::ended);
  CHECK_FALSE(alarm.looping());
}

TEST_CASE("loop alarm: the next owner of the slot begins anew") {
  LoopAlarm alarm;
  LoopAlarm::Time now{1h};
  CHECK(alarm.update({100, false, {}, 0}, 100, now) == LoopAlarm::Event::began);
  alarm = {};
  CHECK(alarm.update({3, false, {}, 0}, 3, now + 1s) == LoopAlarm::Event::none);
}

TEST_CASE("loop alarm: few echoes among many datagrams are what a loss leaves behind") {
  LoopAlarm alarm;
  LoopAlarm::Time now{1h};
  std::uint64_t echoes = 0;
  std::uint64_t taken = 0;
  for (int n = 0; n < 300; ++n) {
    now += 1s;
    echoes += 10;
    taken += 100;
    CHECK(alarm.update({echoes, false, {}, 0}, taken, now) == LoopAlarm::Event::none);
  }
  for (int n = 0; n < 60 && !alarm.looping(); ++n) {  // what was before is forgotten
    now += 1s;
    echoes += 100;
    taken += 100;
    alarm.update({echoes, false, {}, 0}, taken, now);
  }
  CHECK(alarm.looping());
}

TEST_CASE("loop alarm: a wire is told from a relay") {
  LoopAlarm alarm;
  alarm.update({9, true, {IpAddress::v4(0x0A010109), 5353}, 3}, 9, LoopAlarm::Time{1h});
  CHECK(alarm.reason("eth1") ==
        "a wire brings what other segments have to eth1, as from 10.1.1.9:5353: 9 datagrams "
        "stopped");
}

TEST_CASE("loop alarm: one echo that was proven to be one is enough") {
  LoopAlarm alarm;
  const LoopAlarm::Time now{1h};
  CHECK(alarm.update({0, false, {}, 0, 0}, 1000, now) == LoopAlarm::Event::none);
  CHECK(alarm.update({1, false, {}, 0, 1}, 2000, now + 1s) == LoopAlarm::Event::began);
  CHECK(alarm.looping());
}
