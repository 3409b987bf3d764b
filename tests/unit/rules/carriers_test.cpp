#include "mcr/rules/carriers.hpp"

#include <iterator>
#include <set>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t way = 7;
constexpr unsigned interface = 3;
const Endpoint other{IpAddress::v4(0x0A020009), 5353};
const Endpoint host{IpAddress::v4(0x0A010064), 5353};

/// One relay's view, and a clock.
struct Ear {
  Carriers carriers{42};
  std::chrono::nanoseconds now = 1h;

  [[nodiscard]] std::uint64_t ns() const { return static_cast<std::uint64_t>(now.count()); }
  void send(std::uint64_t payload) {
    if (carriers.is_due(way, ns())) carriers.sent(way, payload, interface, ns());
  }
  void hear(std::uint64_t payload, unsigned where = interface) {
    carriers.heard(payload, where, other, ns());
  }
  void leave(std::uint64_t payload, const Endpoint& source) {
    carriers.left(way, payload, interface, source, ns());
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

TEST_CASE("carriers: a copy is there however much else is heard meanwhile") {
  Ear ear;
  constexpr std::uint64_t many = 2000;
  for (std::uint64_t payload = 1; payload <= many; ++payload)
    ear.hear(payload);
  for (std::uint64_t payload = 1; payload <= many; ++payload)
    CHECK(ear.is_there(payload, ear.now));

  ear.now += 10min;  // what is old gives way
  for (std::uint64_t payload = 1; payload <= 10 * many; ++payload)
    ear.hear(payload);
  CHECK(ear.is_there(10 * many, ear.now));
}

TEST_CASE("carriers: a repetition is another datagram") {
  Ear ear;
  ear.hear(1);
  ear.now += 50ms;
  CHECK_FALSE(ear.is_there(1, ear.now));
  ear.hear(1);
  CHECK(ear.is_there(1, ear.now));
}

TEST_CASE("carriers: a rival makes it wait until it was alone three times") {
  Ear ear;
  ear.send(1);
  const auto before = ear.carriers.wait(way, 1U << 31U, false);
  ear.now += 10ms;
  ear.hear(1);
  CHECK_FALSE(ear.carriers.carries(way));
  CHECK(ear.carriers.wait(way, 1U << 31U, false) == before);
  for (std::uint64_t payload = 2; payload < 5; ++payload) {
    CHECK_FALSE(ear.carriers.carries(way));
    ear.now += 20ms;
    ear.send(payload);
    ear.now += 1ms;
    ear.send(100 + payload);  // too soon to prove anything
  }
  CHECK(ear.carriers.carries(way));
}

TEST_CASE("carriers: a rival that has sent at the same time changes the wait") {
  Ear ear;
  ear.send(1);
  const auto before = ear.carriers.wait(way, 1U << 31U, false);
  ear.now += 2ms;
  ear.hear(1);
  CHECK(ear.carriers.wait(way, 1U << 31U, false) != before);
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
  CHECK_FALSE(ear.carriers.other(way));
  ear.hear(2);
  ear.leave(2, host);
  CHECK_FALSE(ear.carriers.carries(way));
  REQUIRE(ear.carriers.other(way));
  CHECK(ear.carriers.other(way)->source == other);
  CHECK(ear.carriers.other(way)->last_ns == ear.ns());
  CHECK_FALSE(ear.carriers.other(way + 1));

  ear.now += 1s;
  ear.send(3);
  CHECK_FALSE(ear.carriers.other(way));
}

TEST_CASE("carriers: of copies that keep their sender it is not known who has sent them") {
  Ear ear;
  ear.hear(1);
  ear.leave(1, other);
  REQUIRE(ear.carriers.other(way));
  CHECK(ear.carriers.other(way)->source.port == 0);
}

TEST_CASE("carriers: the next owner of the slot knows nothing") {
  Ear ear;
  ear.send(1);
  ear.hear(1);
  ear.leave(1, host);
  ear.carriers.clear(way);
  CHECK_FALSE(ear.carriers.other(way));
  CHECK_FALSE(ear.carriers.carries(way));
  CHECK(ear.carriers.is_due(way, ear.ns()));
  CHECK(ear.carriers.wait(way, 1U << 31U, false) == 52ms);
}

TEST_CASE("carriers: relays whose addresses are in a row wait for times far apart") {
  const Carriers carriers(1);
  for (const auto& [relays, apart] :
       {std::pair(2U, 36ms), std::pair(3U, 22ms), std::pair(5U, 14ms), std::pair(8U, 8ms)})
    for (std::uint32_t first = 1; first < 1000; ++first) {
      std::set<std::chrono::nanoseconds> waits;
      for (std::uint32_t n = 0; n < relays; ++n)
        waits.insert(
            carriers.wait(way, Carriers::rank_of(IpAddress::v4(0xC0A80000 + first + n)), false));
      REQUIRE(waits.size() == relays);
      for (auto each = std::next(waits.begin()); each != waits.end(); ++each)
        CHECK(*each - *std::prev(each) >= apart);
    }
  CHECK(Carriers::rank_of(*IpAddress::parse("fe80::1")) ==
        Carriers::rank_of(*IpAddress::parse("0.0.0.1")));
  CHECK(Carriers::rank_of(*IpAddress::parse("0.0.0.0")) == 0);
}

TEST_CASE("carriers: relays and ways without an address wait for different times") {
  std::set<std::chrono::nanoseconds> waits;
  for (std::uint64_t key = 0; key < 20; ++key) {
    const Carriers carriers(key);
    for (std::uint32_t each = 0; each < 20; ++each) {
      const auto wait = carriers.wait(each, 0, false);
      CHECK(wait >= Carriers::shortest_wait);
      CHECK(wait <= Carriers::longest_wait);
      CHECK(carriers.wait(each, 0, false) == wait);
      CHECK(carriers.wait(each, 0, true) == wait / 4);
      waits.insert(wait);
    }
  }
  CHECK(waits.size() > 390);
}
