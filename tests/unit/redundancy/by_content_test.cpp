#include "mcr/redundancy/by_content.hpp"

#include <random>
#include <vector>

#include "catch.hpp"
#include "datagrams.hpp"
#include "mcr/redundancy/legs.hpp"

using namespace mcr;
using namespace mcr::redundancy;

namespace {

constexpr std::uint64_t msec = 1'000'000;

bool passes(Legs& legs, std::size_t leg, unsigned content, std::uint64_t now_ns) {
  Bytes bytes;
  append_big(bytes, content, 8);
  bytes.resize(100 + content % 7);
  return !legs.judge(leg, bytes, now_ns);
}

}  // namespace

TEST_CASE("of datagrams with one content as many go on as the fullest leg brings") {
  Legs legs(by_content);
  const auto now = 5'000 * msec;
  CHECK(passes(legs, 0, 1, now));
  CHECK_FALSE(passes(legs, 1, 1, now));
  CHECK(passes(legs, 0, 1, now));
  CHECK(passes(legs, 0, 1, now));
  CHECK_FALSE(passes(legs, 1, 1, now));
  CHECK_FALSE(passes(legs, 1, 1, now));
  CHECK(passes(legs, 1, 1, now));
  CHECK(legs.leg(1).duplicates.get() == 3);
}

TEST_CASE("a content is forgotten after a second") {
  Legs legs(by_content);
  CHECK(passes(legs, 0, 1, 5'000 * msec));
  CHECK_FALSE(passes(legs, 1, 1, 5'900 * msec));
  CHECK(passes(legs, 1, 1, 6'100 * msec));
}

TEST_CASE("one content without end") {
  Legs legs(by_content);
  for (unsigned n = 0; n < 10'000; ++n) {
    REQUIRE(passes(legs, 0, 1, 5'000 * msec + n * msec));
    REQUIRE_FALSE(passes(legs, 1, 1, 5'000 * msec + n * msec));
  }
}

TEST_CASE("any length, any byte") {
  Legs legs(by_content);
  for (std::size_t length = 0; length < 100; ++length) {
    Bytes bytes(length);
    CHECK_FALSE(legs.judge(0, bytes, msec));
    for (auto& byte : bytes) {
      byte ^= std::byte{1};
      CHECK_FALSE(legs.judge(0, bytes, msec));
      CHECK(legs.judge(1, bytes, msec) == InputDrop::duplicate);
      byte ^= std::byte{1};
    }
  }
}

TEST_CASE("random legs without numbers: each content once") {
  std::mt19937 random(7);
  Legs legs(by_content);
  std::vector<bool> gone(20'000);
  for (unsigned n = 0; n < 20'000 + 300; ++n)
    for (std::size_t leg = 0; leg < 3; ++leg) {
      const auto at = n - static_cast<unsigned>(leg) * 100;
      if (at >= gone.size() || random() % 10 == 0) continue;
      REQUIRE(passes(legs, leg, at, 5'000 * msec + n * msec) == !gone[at]);
      gone[at] = true;
    }
}
