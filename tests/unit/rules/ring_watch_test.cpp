#include "mcr/rules/ring_watch.hpp"

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t host = 1;
constexpr std::uint64_t last_relay = 2;

std::uint64_t at(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>((1h + time).count());
}

/// Payloads as hashes are: all bits differ.
std::uint64_t payload(std::uint64_t number) {
  return (number + 1) * 0x9E3779B97F4A7C15;
}

}  // namespace

TEST_CASE("ring watch: what comes from another sender again and again goes round") {
  RingWatch watch;
  watch.sample(7, payload(0), host, at(0ms));
  watch.sample(7, payload(0), last_relay, at(1ms));
  watch.sample(7, payload(0), last_relay, at(2ms));
  CHECK_FALSE(watch.any(at(3ms)));
  watch.sample(7, payload(0), last_relay, at(3ms));
  CHECK(watch.any(at(4ms)));
  CHECK(watch.has(7, at(4ms)));
  CHECK_FALSE(watch.has(8, at(4ms)));
  watch.prolong(7, at(30s));
  CHECK(watch.has(7, at(89s)));
  CHECK_FALSE(watch.has(7, at(91s)));
  CHECK_FALSE(watch.any(at(91s)));
}

TEST_CASE("ring watch: two senders of one stream are no ring, nor is one of the same bytes") {
  RingWatch watch;
  for (std::uint64_t n = 0; n < 5000; ++n) {
    watch.sample(7, payload(n), host, at(n * 1ms));
    watch.sample(7, payload(n), last_relay, at(n * 1ms));
  }
  for (std::uint64_t n = 0; n < 5000; ++n)
    watch.sample(7, payload(9999), host, at(5s + n * 1ms));
  for (std::uint64_t n = 0; n < 50; ++n) {  // beats of two hosts, one in ten seconds
    watch.sample(7, payload(8888), host, at(20s + n * 10s));
    watch.sample(7, payload(8888), last_relay, at(20s + n * 10s));
  }
  CHECK_FALSE(watch.any(at(5s)));
  CHECK_FALSE(watch.any(at(521s)));
}

TEST_CASE("ring watch: the next owner of the slot begins anew") {
  RingWatch watch;
  watch.prolong(7, at(0ms));
  watch.clear(7);
  CHECK_FALSE(watch.has(7, at(1ms)));
}
