#include "mcr/packet/rate_limiter.hpp"

#include <thread>
#include <vector>

#include "catch.hpp"

using namespace mcr;
using rate_limit::admit;
using rate_limit::burst;
using rate_limit::ticks_per_second;

namespace {

constexpr std::uint64_t second = 1'000'000'000;  // ns

/// How many single datagrams of `bytes` pass that come every `gap_ns` for `seconds`.
std::uint64_t passed(const RateLimit& limit, std::size_t bytes, std::uint64_t gap_ns,
                     std::uint64_t seconds) {
  RateLimiter memory;
  std::uint64_t sum = 0;
  for (std::uint64_t at = 0; at < seconds * second; at += gap_ns)
    sum += memory.admit(limit, 1, static_cast<std::uint32_t>(bytes), bytes, 5 * second + at);
  return sum;
}

bool near(std::uint64_t actual, std::uint64_t expected, std::uint64_t margin) {
  return actual + margin >= expected && actual <= expected + margin;
}

}  // namespace

TEST_CASE("rate limit: the decision") {
  // 1,000 units a second: one is 1/1000 s, the burst of 64 is 64 ms.
  constexpr std::uint64_t now = 1'000 * ticks_per_second;
  constexpr auto unit = ticks_per_second / 1'000;
  struct Row {
    const char* what;
    std::uint64_t due;
    std::uint32_t asked;
    std::uint32_t passes;
    std::uint64_t due_after;
  };
  for (const auto& row : std::vector<Row>{
           {"never used", 0, 1, 1, now + unit},
           {"idle for long: no more than a burst was saved", 0, 100, 64, now + 64 * unit},
           {"a whole superframe after a pause", now, 64, 64, now + 64 * unit},
           {"a superframe passes in part", now + 60 * unit, 64, 4, now + 64 * unit},
           {"used up", now + 64 * unit, 1, 0, now + 64 * unit},
           {"nearly used up: not a part of a datagram", now + 63 * unit + 1, 1, 0,
            now + 63 * unit + 1},
           {"used up by a worker that is ahead in time", now + 70 * unit, 5, 0, now + 70 * unit},
       }) {
    INFO(row.what);
    const auto verdict = admit(1'000, 64, row.due, now, {row.asked, 1, row.asked});
    CHECK(verdict.datagrams == row.passes);
    CHECK(verdict.due == row.due_after);
  }
  INFO("a burst is at least 10 ms of the rate");
  CHECK(admit(100'000, 64, now, now, {2000, 1, 2000}).datagrams == 1000);
  CHECK(admit(100'000, 64, now, now, {2000, 1, 2000}).due == now + burst);
  INFO("a smaller last datagram counts as what it is, and empty ones cost no bits");
  CHECK(admit(1'000, 64, now, now, {3, 30, 64}).datagrams == 3);
  CHECK(admit(1'000, 64, now, now, {3, 30, 65}).datagrams == 2);
  CHECK(admit(1'000, 64, now + 64 * unit, now, {5, 0, 0}).datagrams == 5);
}

TEST_CASE("rate limit: the extremes do not overflow") {
  constexpr std::uint64_t now = 20ULL * 365 * 86'400 * ticks_per_second;  // up for 20 years
  const rate_limit::Demand largest{1, rate_limit::superframe_bits, rate_limit::superframe_bits};
  const auto slowest = admit(1, rate_limit::superframe_bits, now, now, largest);
  CHECK(slowest.datagrams == 1);
  CHECK(admit(1, rate_limit::superframe_bits, slowest.due, now, largest).datagrams == 0);
  CHECK(admit(1'000'000'000'000, rate_limit::superframe_bits, now, now, largest).datagrams == 1);
}

TEST_CASE("rate limit: over time the rate is kept, and what is below it passes whole") {
  CHECK(passed({1'000, 0}, 100, second / 1'000, 3) == 3'000);
  CHECK(near(passed({1'000, 0}, 100, second / 10'000, 3), 3'064, 1));
  CHECK(near(passed({500'000, 0}, 100, 1'000, 1), 505'000, 2));
  // 80,000 bit/s are 100 datagrams of 100 bytes; the burst is 524,056 bits.
  CHECK(near(passed({0, 80'000}, 100, second / 1'000, 10), 1'000 + 655, 1));
  CHECK(near(passed({0, 1'000'000'000}, 1'250, 5'000, 1), 101'000, 1'500));
}

TEST_CASE(
    "rate limit: of two limits the narrower one decides, and the other is not used up by it") {
  CHECK(near(passed({100, 800'000}, 100, second / 10'000, 3), 364, 1));
  CHECK(near(passed({100'000, 80'000}, 100, second / 1'000, 3), 300 + 655, 1));
  RateLimiter memory;
  const RateLimit limit{10, 8 * 65'507};
  CHECK(memory.admit(limit, 40, 32'000, std::size_t{40} * 32'000, second) == 2);
  CHECK(memory.admit(limit, 62, 1, 62, second) == 62);
}

TEST_CASE("rate limit: workers share it") {
  RateLimiter memory;
  const RateLimit limit{1'000, 0};
  std::atomic<std::uint64_t> sum{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&] {
      for (std::uint64_t n = 0; n < 20'000; ++n)
        sum += memory.admit(limit, 1, 100, 100, second + n * 50'000);
    });
  for (auto& worker : workers)
    worker.join();
  CHECK(near(sum, 1'064, 1));
  memory.clear();
  CHECK(memory.admit(limit, 64, 100, 6'400, second) == 64);
}
