#include "mcr/rules/return_probe.hpp"

#include <cstdint>
#include <optional>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t payload = 77;
constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;

/// A rule and one datagram that goes round: it is back `trip` after it goes on. How long until it
/// is proven; nothing: not within `most`.
std::optional<std::uint64_t> proven_after(ReturnProbe& probe, std::uint64_t trip,
                                          std::uint64_t most) {
  for (std::uint64_t now = ms; now < most; now += trip) {
    const auto answer = probe.repeated(payload, now);
    if (answer.returned) return now;
    if (answer.hold_ns == 0) continue;
    now += answer.hold_ns;
    probe.released(now);
  }
  return std::nullopt;
}

/// A host that sends the same every `period`.
void beat(ReturnProbe& probe, std::uint64_t period, std::uint64_t most) {
  std::uint64_t due = 0;
  for (std::uint64_t now = ms; now < most; now += period) {
    if (due != 0 && due <= now) probe.released(due);
    if (due <= now) due = 0;
    const auto answer = probe.repeated(payload, now);
    REQUIRE_FALSE(answer.returned);
    if (answer.hold_ns != 0) due = now + answer.hold_ns;
  }
}

}  // namespace

TEST_CASE("return probe: what goes round is proven, by quick relays and slow ones") {
  for (const auto trip : {20 * us, 200 * us, 2 * ms, 4 * ms}) {
    ReturnProbe probe;
    const auto took = proven_after(probe, trip, 5000 * ms);
    REQUIRE(took);
    CHECK(*took > 5 * 50 * ms);
    CHECK(*took < 2000 * ms);
    CHECK(probe.proofs() == 1);
    CHECK_FALSE(probe.refuted());
  }
}

TEST_CASE("return probe: a host that beats is none") {
  for (const auto period : {10 * us, 100 * us, 1 * ms, 7 * ms, 20 * ms, 49 * ms}) {
    ReturnProbe probe;
    beat(probe, period, 30'000 * ms);
    CHECK(probe.proofs() == 0);
    CHECK(probe.refuted());
  }
}

TEST_CASE("return probe: nor is one that beats as slowly as datagrams are held") {
  for (auto period = 50 * ms; period < 240 * ms; period += 3 * ms) {
    ReturnProbe probe;
    beat(probe, period, 600'000 * ms);
    CHECK(probe.proofs() == 0);
  }
}

TEST_CASE("return probe: a datagram that comes late, or went on early, proves nothing") {
  ReturnProbe probe;
  CHECK_FALSE(proven_after(probe, 8 * ms, 20'000 * ms));
  for (std::uint64_t now = ms; now < 20'000 * ms; now += ms) {
    const auto answer = probe.repeated(payload, now);
    REQUIRE_FALSE(answer.returned);
    if (answer.hold_ns != 0) probe.released(now + ms / 2);
  }
}

TEST_CASE("return probe: others that pass meanwhile are no proof and refute nothing") {
  ReturnProbe probe;
  std::uint64_t now = ms;
  while (probe.repeated(payload, now).hold_ns == 0)
    now += ms;
  for (int i = 0; i < 40; ++i)
    CHECK_FALSE(probe.repeated(payload + 2 + static_cast<std::uint64_t>(i), now += ms).returned);
  CHECK_FALSE(probe.refuted());
  CHECK(probe.proofs() == 0);
}

TEST_CASE("return probe: a held datagram that was lost with its table ends its turn") {
  ReturnProbe probe;
  std::uint64_t now = ms;
  while (probe.repeated(payload, now).hold_ns == 0)
    now += ms;
  now += 5000 * ms;
  CHECK(proven_after(probe, 100 * us, now + 5000 * ms));
}
