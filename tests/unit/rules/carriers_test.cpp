#include "mcr/rules/carriers.hpp"

#include <set>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t way = 7;
constexpr unsigned interface = 3;

/// One relay's view, and a clock.
struct Ear {
  Carriers carriers{42};
  std::chrono::nanoseconds now = 1h;

  [[nodiscard]] std::uint64_t ns() const { return static_cast<std::uint64_t>(now.count()); }
  void send(std::uint64_t payload) {
    if (carriers.is_due(way, ns())) carriers.sent(way, payload, interface, ns());
  }
  void hear(std::uint64_t payload, unsigned where = interface) {
    carriers.heard(payload, where, ns());
  }
  [[nodiscard]] bool is_there(std::uint64_t payload, std::chrono::nanoseconds since) const {
    return carriers.is_there(payload, interface, static_cast<std::uint64_t>(since.count()));
  }
};

}  // namespace

TEST_CASE("carriers: who is alone waits once") {
  Ear ear;
  CHECK_FALSE(ear.carriers.carries(way));
  ear.send(1);
  CHECK(ear.carriers.carries(way));
  CHECK_FALSE(ear.carriers.carries(way + 1));
}

TEST_CASE("carriers: a copy is there from when it came, on its interface") {
  Ear ear;
  CHECK_FALSE(ear.is_there(1, ear.now));
  ear.hear(1);
  CHECK(ear.is_there(1, ear.now));
  CHECK(ear.is_there(1, ear.now - 1s));
  CHECK(ear.is_there(1, ear.now + 4ms));  // it overtook the original
  CHECK_FALSE(ear.is_there(1, ear.now + 10ms));
  CHECK_FALSE(ear.is_there(2, ear.now));
  CHECK_FALSE(ear.carriers.is_there(1, interface + 1, ear.ns()));
}

TEST_CASE("carriers: a repetition is another datagram") {
  Ear ear;
  ear.hear(1);
  ear.now += 50ms;
  CHECK_FALSE(ear.is_there(1, ear.now));
  ear.hear(1);
  CHECK(ear.is_there(1, ear.now));
}

TEST_CASE("carriers: a rival makes it wait, for another time, until it was alone three times") {
  Ear ear;
  ear.send(1);
  const auto before = ear.carriers.wait(way, false);
  ear.now += 10ms;
  ear.hear(1);
  CHECK_FALSE(ear.carriers.carries(way));
  CHECK(ear.carriers.wait(way, false) != before);
  for (std::uint64_t payload = 2; payload < 5; ++payload) {
    CHECK_FALSE(ear.carriers.carries(way));
    ear.now += 20ms;
    ear.send(payload);
    ear.now += 1ms;
    ear.send(100 + payload);  // too soon to prove anything
  }
  CHECK(ear.carriers.carries(way));
}

TEST_CASE("carriers: the same bytes much later, elsewhere, or never sent are no rival's") {
  Ear ear;
  ear.send(1);
  ear.hear(1, interface + 1);
  ear.hear(2);
  ear.now += 200ms;
  ear.hear(1);
  CHECK(ear.carriers.carries(way));
}

TEST_CASE("carriers: who leaves a datagram to another knows of it") {
  Ear ear;
  ear.send(1);
  ear.carriers.left(way);
  CHECK_FALSE(ear.carriers.carries(way));
}

TEST_CASE("carriers: relays and ways wait for different times") {
  std::set<std::chrono::nanoseconds> waits;
  for (std::uint64_t key = 0; key < 20; ++key) {
    const Carriers carriers(key);
    for (std::uint32_t each = 0; each < 20; ++each) {
      const auto wait = carriers.wait(each, false);
      CHECK(wait >= Carriers::shortest_wait);
      CHECK(wait <= Carriers::longest_wait);
      CHECK(carriers.wait(each, false) == wait);
      CHECK(carriers.wait(each, true) == wait / 4);
      waits.insert(wait);
    }
  }
  CHECK(waits.size() > 390);
}
