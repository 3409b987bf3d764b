#include "mcr/packet/echo_memory.hpp"

#include <set>
#include <string_view>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;
using Sight = EchoMemory::Sight;

namespace {

std::uint64_t hash_of(std::string_view text, std::uint64_t key = 7) {
  return payload_hash(std::as_bytes(std::span(text)), key);
}

/// A memory and a clock.
struct Ear {
  EchoMemory memory;
  std::chrono::nanoseconds now = 1h;

  Sight hear(std::string_view payload, std::uint64_t origin, EchoMemory::Caution caution = {}) {
    return memory.see(hash_of(payload), origin, static_cast<std::uint64_t>(now.count()), caution)
        .what;
  }
};

}  // namespace

TEST_CASE("payload hash: each byte, the length and the key count") {
  std::set<std::uint64_t> hashes;
  std::string text(40, 'a');
  for (std::size_t n = 0; n < text.size(); ++n) {
    hashes.insert(hash_of(std::string_view(text).substr(0, n)));
    auto other = text;
    other[n] = 'b';
    hashes.insert(hash_of(other));
  }
  hashes.insert(hash_of(text, 8));
  hashes.insert(hash_of(std::string(8, '\0')));
  hashes.insert(hash_of(std::string(9, '\0')));
  CHECK(hashes.size() == 2 * text.size() + 3);
}

TEST_CASE("echo memory: an origin may repeat itself, nobody else may repeat it") {
  Ear ear;
  CHECK(ear.hear("a", 1) == Sight::first);
  CHECK(ear.hear("a", 2) == Sight::echo);
  for (int n = 0; n < 100; ++n) {
    ear.now += n % 3 == 0 ? 0ms : 499ms / 2;
    CHECK(ear.hear("a", 1) == Sight::repeat);
    CHECK(ear.hear("a", 2) == Sight::echo);
  }
  CHECK(ear.hear("b", 2) == Sight::first);
}

TEST_CASE("echo memory: an echo does not prolong what is known") {
  Ear ear;
  ear.hear("a", 1);
  ear.now += 400ms;
  CHECK(ear.hear("a", 2) == Sight::echo);
  ear.now += 200ms;
  CHECK(ear.hear("a", 2) == Sight::first);
  CHECK(ear.hear("a", 1) == Sight::echo);
}

TEST_CASE("echo memory: caution") {
  Ear ear;
  ear.hear("a", 1);
  ear.now += 1s;
  CHECK(ear.hear("a", 2, {.long_window = true}) == Sight::echo);
  ear.now += 1100ms;
  CHECK(ear.hear("a", 2, {.long_window = true}) == Sight::first);
  ear.now += 80ms;
  CHECK(ear.hear("a", 2, {.gap = EchoMemory::gap}) == Sight::echo);
  ear.now += 40ms;
  CHECK(ear.hear("a", 2, {.gap = EchoMemory::gap}) == Sight::repeat);
}

TEST_CASE("echo memory: another worker's clock may lag behind") {
  Ear ear;
  ear.hear("a", 1);
  ear.now -= 10ms;
  CHECK(ear.hear("a", 2) == Sight::echo);
}

TEST_CASE("echo memory: twenty thousand payloads are known at once, and the oldest go first") {
  Ear ear;
  const auto text = [](int n) { return "payload " + std::to_string(n); };
  for (int n = 0; n < 20'000; ++n)
    CHECK(ear.hear(text(n), 1) == Sight::first);
  int forgotten = 0;
  for (int n = 0; n < 20'000; ++n)
    forgotten += ear.hear(text(n), 2) == Sight::echo ? 0 : 1;
  CHECK(forgotten < 200);
  for (int n = 0; n < 200'000; ++n)
    ear.hear(text(n), 1);
  CHECK(ear.hear(text(199'999), 2) == Sight::echo);
}
