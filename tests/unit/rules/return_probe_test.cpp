#include "mcr/rules/return_probe.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;

/// A rule that is probed, and when the payloads came that it takes.
class Probed {
 public:
  ReturnProbe probe;
  unsigned held = 0;

  /// True if that proves a return. `relayed`: when it goes on.
  bool takes(std::uint64_t payload, std::uint64_t now, std::uint64_t& relayed) {
    release(now);
    relayed = now;
    const auto before = came_.find(payload);
    probe.came(before != came_.end());
    if (before == came_.end()) {
      came_[payload] = now;
      return false;
    }
    const auto answer = probe.repeated(payload, now - before->second, now);
    before->second = now;
    if (answer.hold_ns == 0) return answer.returned;
    ++held;
    held_ = payload;
    due_ = now + answer.hold_ns;
    relayed = due_;
    return false;
  }

 private:
  void release(std::uint64_t now) {
    if (due_ != 0 && due_ <= now) probe.released(held_, due_);
    if (due_ <= now) due_ = 0;
  }

  std::map<std::uint64_t, std::uint64_t> came_;
  std::uint64_t held_ = 0;
  std::uint64_t due_ = 0;
};

/// So many datagrams go round, spread over the trip; some of them are alike. How long until it is
/// proven; nothing: not within `most`.
std::optional<std::uint64_t> proven_after(Probed& rule, std::uint64_t different,
                                          std::uint64_t alike, std::uint64_t trip,
                                          std::uint64_t most) {
  std::multimap<std::uint64_t, std::uint64_t> coming;  // by time: payloads
  for (std::uint64_t n = 0; n < different + alike; ++n)
    coming.emplace(ms + n * trip / (different + alike), 2 * std::min(n, different));
  while (coming.begin()->first < most) {
    const auto [now, payload] = *coming.begin();
    coming.erase(coming.begin());
    std::uint64_t relayed = 0;
    if (rule.takes(payload, now, relayed)) return now;
    coming.emplace(relayed + trip, payload);
  }
  return std::nullopt;
}

/// A host sends so many different datagrams in turn, a turn each `period`, with this jitter, until
/// that is told from a ring. True if it was taken for one.
bool repeat(Probed& rule, std::uint64_t different, std::uint64_t period, std::uint64_t jitter,
            std::uint64_t most) {
  std::mt19937_64 random(different + period + jitter);
  std::uint64_t last = 0;
  for (std::uint64_t n = 0; n * period / different < most && !rule.probe.refuted(); ++n) {
    const auto late = jitter == 0 ? 0 : random() % jitter;
    last = std::max(last, ms + n * period / different + late);
    std::uint64_t relayed = 0;
    if (rule.takes(2 * (n % different), last, relayed)) return true;
  }
  return false;
}

/// Nearly all that comes has come before.
void be_in_a_ring(ReturnProbe& probe) {
  for (int n = 0; n < 1000; ++n)
    probe.came(true);
}

}  // namespace

TEST_CASE("return probe: what goes round is proven, by quick relays and slow ones") {
  for (const auto trip : {20 * us, 200 * us, 2 * ms, 10 * ms}) {
    Probed rule;
    const auto took = proven_after(rule, 1, 0, trip, 20'000 * ms);
    REQUIRE(took);
    CHECK(*took > 8 * 50 * ms);
    CHECK(*took < 2000 * ms + 700 * trip);
    CHECK(rule.held == 8);
    CHECK(rule.probe.proofs() == 1);
    CHECK_FALSE(rule.probe.refuted());
  }
}

TEST_CASE("return probe: so is it where many different ones do") {
  for (const std::uint64_t different : {2U, 50U, 5000U})
    for (const auto trip : {1 * ms, 25 * ms, 200 * ms}) {
      INFO(different << " in " << trip / ms << " ms");
      if (different * 10 * ms < trip) continue;  // under 100 a second
      Probed rule;
      const auto took = proven_after(rule, different, 0, trip, 20'000 * ms);
      REQUIRE(took);
      CHECK(*took < 1500 * ms + 40 * trip + 700 * trip / different);  // one in 16 is held
      CHECK_FALSE(rule.probe.refuted());
    }
}

TEST_CASE("return probe: so is it where some of them are the padding of a stream") {
  for (const std::uint64_t alike : {100U, 500U})
    for (const auto trip : {1 * ms, 25 * ms, 200 * ms}) {
      Probed rule;
      CHECK(proven_after(rule, 1000 - alike, alike, trip, 60'000 * ms));
      CHECK_FALSE(rule.probe.refuted());
    }
}

TEST_CASE("return probe: a host that repeats itself is none, and three are held") {
  for (const std::uint64_t different : {1U, 2U, 50U, 1000U})
    for (const auto period : {100 * us, 1 * ms, 20 * ms, 49 * ms, 80 * ms, 110 * ms, 300 * ms})
      for (const auto jitter : {0 * ms, period / 4}) {
        INFO(different << " each " << period / us << " us");
        Probed rule;
        CHECK_FALSE(repeat(rule, different, period, jitter, 600'000 * ms));
        CHECK(rule.probe.refuted());
        CHECK(rule.held <= 4);  // one may be due as the next one comes
      }
}

TEST_CASE("return probe: of a stream that repeats half of what it has nothing is held") {
  Probed rule;
  std::uint64_t relayed = 0;
  for (std::uint64_t n = 0; n < 100'000; ++n)
    CHECK_FALSE(rule.takes(n % 10 < 5 ? n % 10 : 2 * n, n * ms, relayed));
  CHECK(rule.held == 0);
  CHECK_FALSE(rule.probe.refuted());
}

TEST_CASE("return probe: nor is one that repeats itself by chance") {
  for (unsigned seed = 0; seed < 100; ++seed)
    for (const auto mean : {20 * ms, 80 * ms, 300 * ms}) {
      std::mt19937 random(seed);
      std::exponential_distribution<> apart(1.0 / static_cast<double>(mean));
      Probed rule;
      for (auto now = ms; now < 600'000 * ms && !rule.probe.refuted();) {
        now += static_cast<std::uint64_t>(apart(random));
        std::uint64_t relayed = 0;
        CHECK_FALSE(rule.takes(4, now, relayed));
      }
    }
}

TEST_CASE("return probe: a datagram that comes late, or went on early, proves nothing") {
  ReturnProbe late;
  be_in_a_ring(late);
  for (std::uint64_t now = ms; now < 20'000 * ms; now += ms) {
    const auto answer = late.repeated(4, ms, now);
    REQUIRE_FALSE(answer.returned);
    if (answer.hold_ns == 0) continue;
    late.released(4, now += answer.hold_ns);
    now += 8 * ms;
  }
  ReturnProbe early;
  be_in_a_ring(early);
  for (std::uint64_t now = ms; now < 20'000 * ms; now += ms) {
    const auto answer = early.repeated(4, ms, now);
    REQUIRE_FALSE(answer.returned);
    if (answer.hold_ns != 0) early.released(4, now + ms / 2);
  }
  CHECK_FALSE(late.refuted());
  CHECK_FALSE(early.refuted());
}

TEST_CASE("return probe: others that pass meanwhile are no proof and refute nothing") {
  ReturnProbe probe;
  be_in_a_ring(probe);
  std::uint64_t now = ms;
  while (probe.repeated(4, ms, now).hold_ns == 0)
    now += ms;
  for (std::uint64_t n = 3; n < 40; ++n)
    CHECK_FALSE(probe.repeated(2 * n, ms, now += ms).returned);
  CHECK_FALSE(probe.refuted());
  CHECK(probe.proofs() == 0);
}

TEST_CASE("return probe: a held datagram that was lost with its table ends its turn") {
  Probed rule;
  std::uint64_t now = ms;
  be_in_a_ring(rule.probe);
  while (rule.probe.repeated(4, ms, now).hold_ns == 0)
    now += ms;
  CHECK(proven_after(rule, 1, 0, 100 * us, now + 10'000 * ms));
}

TEST_CASE("return probe: what has proven itself is not refuted later") {
  Probed rule;
  CHECK(proven_after(rule, 10, 0, ms, 20'000 * ms));
  CHECK_FALSE(repeat(rule, 10, 10 * ms, 0, 20'000 * ms));
  CHECK_FALSE(rule.probe.refuted());
  rule.probe.clear();
  CHECK(rule.probe.proofs() == 0);
}
