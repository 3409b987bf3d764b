// Datagrams that wait for their turn, through a real worker.
#include "mcr/dataplane/waiting_room.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "worker_world.hpp"

using namespace mcr;
using namespace mcr::test;
using namespace std::chrono_literals;

namespace {

/// RTP by leg 1 or 2; its size tells the number.
FrameBuilder rtp(unsigned leg, std::uint8_t number) {
  auto result = frame(100U + number);
  result.destination.address = *IpAddress::parse("239.1.1." + std::to_string(leg));
  result.payload[0] = 0x80;
  result.payload[1] = 96;
  result.payload[2] = 0;
  result.payload[3] = number;
  return result;
}

struct Merging : World {
  explicit Merging(std::chrono::microseconds window, bool pace = false) {
    merge.emplace();
    merge->order = Merge::Order::sequence;
    merge->window = window;
    merge->pace = pace;
  }
  void bring(unsigned leg, std::uint8_t number) { wires[leg - 1].put(rtp(leg, number)); }
  [[nodiscard]] bool heard(std::uint64_t datagrams) const {
    return comes_true([&] { return counters().rx_datagrams.get() == datagrams; });
  }
  [[nodiscard]] std::uint64_t sent() const { return counters().tx_datagrams.get(); }
  [[nodiscard]] std::uint64_t dropped(InputDrop reason) const {
    return counters().drops.values()[static_cast<std::size_t>(reason)].get();
  }
  /// Nothing is lost uncounted.
  void settle() {
    worker().stop();
    std::uint64_t drops = 0;
    for (const auto& drop : counters().drops.values())
      drops += drop.get();
    CHECK(counters().rx_datagrams.get() ==
          counters().matched.get() + counters().unmatched.get() + drops);
    CHECK(counters().matched.get() == sent());
  }
};

using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a worker sends in sequence, and what it waited for at once") {
  Merging world(10s);
  if (!world.start(2)) return;
  for (const auto number : std::initializer_list<std::uint8_t>{1, 2, 4, 5})
    world.bring(1, number);
  CHECK(world.sink.sizes(2) == Sizes{101, 102});
  REQUIRE(world.heard(4));
  CHECK(world.sent() == 2);
  world.bring(2, 3);
  CHECK(world.sink.sizes(3) == Sizes{103, 104, 105});
  world.settle();
}

TEST_CASE("a sleeping worker lets go what has waited long enough") {
  const bool pace = GENERATE(false, true);
  Merging world(100ms, pace);
  if (!world.start(2)) return;
  world.bring(1, 1);
  world.bring(1, 3);
  CHECK(world.sink.sizes(2) == Sizes{101, 103});
  world.bring(2, 2);
  CHECK(comes_true([&] { return world.dropped(InputDrop::late) == 1; }));
  world.settle();
}

TEST_CASE("a worker keeps what waits across a table, and sends it when it stops") {
  Merging world(10s);
  if (!world.start(2)) return;
  world.bring(1, 1);
  world.bring(1, 3);
  REQUIRE(world.heard(2));
  world.merge->window = 20s;
  world.use(2);
  world.bring(2, 4);
  REQUIRE(world.heard(3));
  CHECK(world.sent() == 1);
  world.settle();
  CHECK(world.sink.sizes(3) == Sizes{101, 103, 104});
}

TEST_CASE("what waits for a rule that is no more is counted, and its legs outlive the table") {
  Merging world(10s);
  if (!world.start(2)) return;
  world.bring(1, 1);
  world.bring(1, 3);
  REQUIRE(world.heard(2));
  world.use(0);
  world.allocators().legs.sweep();
  CHECK(comes_true([&] { return world.counters().unmatched.get() == 1; }));
  world.settle();
}

TEST_CASE("what goes on while the relay stands by is counted so, also if it has waited") {
  Merging world(100ms);
  if (!world.start(2)) return;
  world.bring(1, 1);
  world.bring(1, 3);
  REQUIRE(world.heard(2));
  world.worker().set_standby(true);
  CHECK(comes_true([&] { return world.dropped(InputDrop::standby) == 1; }));
  CHECK(world.sent() == 1);
  world.settle();
}

TEST_CASE("the waiting room gives a chunk back when the last of its datagrams has left") {
  std::unique_ptr<Ring> ring;
  try {
    ring = Worker::make_ring();
    ring->enable();
  } catch (const Failure& failure) {
    WARN("not tested here: " << failure.what());
    return;
  }
  Buffers buffers(*ring);
  WaitingRoom room(buffers);
  const std::vector<std::byte> bytes(1400, std::byte{7});
  Packet packet;
  packet.payload = bytes;
  packet.segment = 1400;
  std::vector<redundancy::Waiting*> waiting;
  while (auto* one = room.put(packet))
    waiting.push_back(one);
  const auto each = Buffers::block_size / (1400 + sizeof(redundancy::Waiting) + 8);
  CHECK(waiting.size() >= each * WaitingRoom::chunks);
  CHECK(waiting.back()->packet.payload.size() == 1400);
  CHECK(waiting.back()->packet.payload[1399] == std::byte{7});
  const auto in_chunk = waiting.front()->buffer;
  for (auto* one : waiting)
    if (one->buffer != in_chunk)
      break;
    else
      buffers.release(one->buffer);
  CHECK(room.put(packet) != nullptr);
}
