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
    return alarm.update({datagrams, source, 3}, now);
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
  CHECK(alarm.update({100, {}, 0}, now) == LoopAlarm::Event::began);
  alarm = {};
  CHECK(alarm.update({3, {}, 0}, now + 1s) == LoopAlarm::Event::none);
}
