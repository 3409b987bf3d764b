#include "mcr/rules/past.hpp"

#include <deque>
#include <random>

#include "catch.hpp"
#include "mcr/config/rule.hpp"

namespace {

using namespace mcr;

struct Kept {
  std::uint64_t time_ns = 0;
  std::vector<std::byte> header;
  std::vector<std::byte> payload;

  friend bool operator==(const Kept&, const Kept&) = default;
};

std::vector<std::byte> bytes(std::size_t count, std::uint64_t first) {
  std::vector<std::byte> result(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = static_cast<std::byte>(first + i);
  return result;
}

void put(PastRing& ring, const Kept& one) {
  CapturedDatagram datagram;
  datagram.time_ns = one.time_ns;
  datagram.frame_header = static_cast<std::uint16_t>(one.header.size());
  datagram.payload = static_cast<std::uint32_t>(one.payload.size());
  ring.put(datagram, one.header, one.payload);
}

std::deque<Kept> since(const PastRing& ring, std::uint64_t since_ns) {
  std::deque<Kept> all;
  for (auto place = ring.since(since_ns); place != ring.end(); place = ring.next(place))
    capture_record::read(ring.record(place), [&](const auto& datagram, auto header, auto payload) {
      all.push_back(
          {datagram.time_ns, {header.begin(), header.end()}, {payload.begin(), payload.end()}});
    });
  return all;
}

std::size_t size_of(const Kept& one) {
  return capture_record::bytes(one.header, one.payload);
}

Rule keeps(std::uint64_t bytes) {
  Rule rule;
  rule.name = "keeps";
  rule.capture_before = bytes;
  return rule;
}

}  // namespace

TEST_CASE("past: the newest makes room for itself, and nothing else goes") {
  constexpr std::size_t capacity = 65'536;
  PastRing ring(capacity);
  CHECK(ring.since(0) == ring.end());
  std::mt19937 random(GENERATE(1U, 2U, 3U));
  std::deque<Kept> expected;
  for (std::uint64_t n = 1; n <= 20'000; ++n) {
    const std::size_t size = random() % 50 == 0 ? random() % 60'000 : random() % 1500;
    expected.push_back({n, bytes(42, n), bytes(size, 7 * n)});
    put(ring, expected.back());
    if (n % 97 != 0 && n < 19'900) continue;
    const auto found = since(ring, 0);
    REQUIRE_FALSE(found.empty());
    while (expected.size() > found.size())
      expected.pop_front();
    REQUIRE(found == expected);
  }
}

TEST_CASE("past: it holds as much as fits but for one datagram at its end") {
  PastRing ring(65'536);
  const Kept one{1, bytes(42, 0), bytes(1000, 0)};
  for (int i = 0; i < 1000; ++i) {
    put(ring, one);
    if (i > 100) REQUIRE(since(ring, 0).size() >= 65'536 / size_of(one) - 1);
  }
}

TEST_CASE("past: what is older than asked for is left out") {
  PastRing ring(65'536);
  for (std::uint64_t n = 1; n <= 30; ++n)
    put(ring, {n, {}, bytes(100, n)});
  CHECK(since(ring, 0).size() == 30);
  CHECK(since(ring, 21).size() == 10);
  CHECK(since(ring, 21).front().time_ns == 21);
  CHECK(since(ring, 31).empty());
}

TEST_CASE("past: records that fill the ring exactly, and one that is too large") {
  PastRing ring(4096);
  const Kept quarter{1, {}, bytes(1024 - sizeof(CapturedDatagram), 1)};
  REQUIRE(size_of(quarter) == 1024);
  for (int i = 0; i < 11; ++i)
    put(ring, quarter);
  CHECK(since(ring, 0).size() == 4);
  put(ring, {2, {}, bytes(5000, 0)});
  CHECK(since(ring, 0).size() == 4);
  put(ring, {3, {}, bytes(4096 - sizeof(CapturedDatagram), 1)});
  REQUIRE(since(ring, 0).size() == 1);
  CHECK(since(ring, 0).front().time_ns == 3);
}

TEST_CASE("past: a rule that stays keeps its own, for as long as something holds it") {
  Pasts pasts;
  pasts.set_workers(3);
  CHECK(pasts.get(keeps(0)) == nullptr);
  auto past = pasts.get(keeps(8192));
  REQUIRE(past != nullptr);
  CHECK(past->workers() == 3);
  CHECK(pasts.get(keeps(8192)) == past);
  CHECK(pasts.find("keeps") == past);
  CHECK(pasts.find("b") == nullptr);
  CHECK(pasts.get(keeps(16'384)) != past);
  past.reset();
  CHECK(pasts.find("keeps") == nullptr);
}
