#include "mcr/dataplane/worker.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "worker_world.hpp"

using namespace mcr;
using namespace mcr::test;
using namespace std::chrono_literals;

TEST_CASE("a worker forwards what a rule takes, and counts it") {
  World world;
  if (!world.start(1)) return;
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(101));
  CHECK(world.sink.sizes(3) == std::vector<std::size_t>{100, 100, 101});
  world.worker().stop();
  const auto& counters = world.counters();
  CHECK(counters.rx_datagrams.get() == 3);
  CHECK(counters.matched.get() == 3);
  CHECK(counters.tx_datagrams.get() == 3);
}

TEST_CASE("a worker counts what it does not forward, by reason") {
  World world;
  if (!world.start(1)) return;
  auto foreign = frame();
  foreign.destination.port = 5001;
  world.wires[0].put(foreign);
  auto damaged = frame();
  damaged.break_checksum = true;
  world.wires[0].put(damaged);
  auto fragment = frame();
  fragment.fragment = 0x2000;
  world.wires[0].put(fragment);
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 3; }));
  world.worker().stop();
  const auto& counters = world.counters();
  const auto dropped = [&](InputDrop reason) {
    return counters.drops.values()[static_cast<std::size_t>(reason)].get();
  };
  CHECK(counters.unmatched.get() == 1);
  CHECK(dropped(InputDrop::bad_checksum) == 1);
  CHECK(dropped(InputDrop::fragment) == 1);
  CHECK(counters.tx_datagrams.get() == 0);
}

TEST_CASE("a worker sends what a limit lets pass, and counts the rest") {
  World world;

  world.limit.pps = 1;
  if (!world.start(1)) return;
  for (int i = 0; i < 100; ++i)
    world.wires[0].put(frame());
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 100; }));
  world.worker().stop();
  const auto sent = world.counters().tx_datagrams.get();
  CHECK(sent >= 1);
  CHECK(sent < 100);
  CHECK(sent + world.dropped(OutputDrop::rate_limited) == 100);
}

TEST_CASE("a sleeping worker takes a new table when woken") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
}

TEST_CASE("a wake-up that comes while a worker waits for a fuller batch is not forgotten") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.worker().set_batch_wait(300ms);
  auto foreign = frame();
  foreign.destination.port = 5001;
  world.wires[0].put(foreign);  // nothing is sent: after the wait there is no reason to go on
  std::this_thread::sleep_for(50ms);
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
}

TEST_CASE("a worker that polls goes round without a frame, forwards, and sleeps again") {
  World world;
  if (!world.start(1)) return;
  world.worker().set_poll(true);
  world.worker().wake();
  const auto rounds = [&] { return world.worker().rounds(); };
  CHECK(comes_true([&] { return rounds() > 10'000; }));
  world.wires[0].put(frame());
  CHECK(comes_true([&] { return world.counters().tx_datagrams.get() == 1; }));
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
  world.worker().set_poll(false);
  std::this_thread::sleep_for(50ms);
  const auto before = rounds();
  std::this_thread::sleep_for(50ms);
  CHECK(rounds() < before + 100);
}

TEST_CASE("a capture that looks back takes over from the past, and gives it back") {
  World world;
  world.capture_before = 65'536;
  if (!world.start(1)) return;
  const auto forwarded = [&](int count) {
    for (int i = 0; i < count; ++i)
      world.wires[0].put(frame(100));
    return world.sink.sizes(static_cast<std::size_t>(count)).size() == std::size_t(count);
  };
  const auto kept = [&] {
    const auto& ring = world.past()->ring(0);
    std::size_t count = 0;
    for (auto place = ring.since(0); place != ring.end(); place = ring.next(place))
      ++count;
    return count;
  };
  CHECK(forwarded(3));
  const auto capture =
      std::make_shared<const Capture>(CaptureWish{.rule = 0, .in = true, .since_ns = 1}, 1);
  world.worker().capture_for({capture});
  CHECK(comes_true([&] { return world.worker().reclaim_captures(); }));
  CHECK(kept() == 3);
  CHECK(forwarded(2));
  CHECK(kept() == 3);
  std::size_t seen = 0;
  while (capture->rings()[0].take([&](const auto&...) { ++seen; }))
    continue;
  CHECK(seen == 2);

  capture->past_is_read();
  CHECK(forwarded(4));
  world.worker().stop();
  CHECK(kept() == 7);
}

TEST_CASE("a worker that stops forwards what it has received") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.worker().set_batch_wait(200ms);
  for (int i = 0; i < 10; ++i)
    world.wires[0].put(frame());
  REQUIRE(comes_true([&] {
    return world.counters().rx_datagrams.get() > 0 ||
           world.worker().counters().rx[0].rx_frames.get() > 0;
  }));
  world.worker().stop();
  CHECK(world.counters().rx_datagrams.get() == world.counters().tx_datagrams.get());
}

TEST_CASE("a worker holds the first datagrams of a circle, and sends them in their order") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  for (std::size_t bytes = 100; bytes < 200; ++bytes)
    world.wires[0].put(frame(bytes));  // more than are held at once
  const auto sizes = world.sink.sizes(100);
  REQUIRE(sizes.size() == 100);
  CHECK(std::ranges::is_sorted(sizes));
  world.wires[0].put(frame(200));
  CHECK(world.sink.sizes(1) == std::vector<std::size_t>{200});
  CHECK(world.dropped(OutputDrop::carried) == 0);
}

TEST_CASE("a worker does not send what another relay brings while it is held") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(101));
  CHECK(comes_true([&] {
    world.hear_copy(frame(100));
    world.hear_copy(frame(101));
    return world.dropped(OutputDrop::carried) == 2;
  }));
  world.worker().stop();
  CHECK(world.counters().tx_datagrams.get() == 0);
}

TEST_CASE("a worker that stops sends what it holds") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  world.wires[0].put(frame());
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 1; }));
  world.worker().stop();
  CHECK(world.counters().tx_datagrams.get() == 1);
}
