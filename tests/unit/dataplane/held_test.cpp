#include "mcr/dataplane/held.hpp"

#include <vector>

#include "catch.hpp"

using namespace mcr;

namespace {

HeldDatagram datagram(std::uint32_t output, std::uint64_t due, std::uint16_t number) {
  HeldDatagram held;
  held.output = output;
  held.due_ns = due;
  held.buffer = number;
  return held;
}

std::vector<std::uint16_t> due(Held& held, std::uint64_t now) {
  std::vector<std::uint16_t> numbers;
  held.pop_due(now, [&](const HeldDatagram& each) { numbers.push_back(each.buffer); });
  return numbers;
}

}  // namespace

TEST_CASE("held: what is due comes out, in its order") {
  Held held;
  CHECK(held.empty());
  CHECK(held.next_due() == std::numeric_limits<std::uint64_t>::max());
  held.push(datagram(1, 50, 1));
  held.push(datagram(2, 20, 2));
  held.push(datagram(1, 60, 3));
  held.push(datagram(3, 20, 4));
  CHECK(held.next_due() == 20);
  CHECK(due(held, 10).empty());
  CHECK(due(held, 20) == std::vector<std::uint16_t>{2, 4});
  CHECK(held.has(1));
  CHECK_FALSE(held.has(2));
  CHECK(due(held, 60) == std::vector<std::uint16_t>{1, 3});
  CHECK(held.empty());
}

TEST_CASE("held: nothing overtakes what waits for the same output") {
  Held held;
  held.push(datagram(1, 50, 1));
  held.push(datagram(1, 20, 2));
  CHECK(due(held, 20).empty());
  CHECK(due(held, 50) == std::vector<std::uint16_t>{1, 2});
}

TEST_CASE("held: bounded, the oldest is taken early") {
  Held held;
  for (std::uint16_t n = 0; n < Held::most; ++n) {
    CHECK_FALSE(held.full());
    held.push(datagram(n, 100, n));
  }
  CHECK(held.full());
  CHECK(held.pop().buffer == 0);
  CHECK_FALSE(held.full());
}

TEST_CASE("held: a probe keeps nothing waiting") {
  Held held;
  auto probe = datagram(1, 90, 1);
  probe.probe = true;
  held.push(probe);
  CHECK_FALSE(held.has(1));
  held.push(datagram(1, 20, 2));
  CHECK(due(held, 20) == std::vector<std::uint16_t>{2});
  CHECK(held.next_due() == 90);
  CHECK(due(held, 90) == std::vector<std::uint16_t>{1});
}
