#include "mcr/redundancy/by_number.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "catch.hpp"
#include "datagrams.hpp"
#include "mcr/redundancy/legs.hpp"

using namespace mcr;
using namespace mcr::redundancy;

namespace {

constexpr std::uint64_t ms = 1'000'000;

/// A rule's legs, one datagram a millisecond.
struct Merged {
  explicit Merged(const Merge& merge = by_rtp) : legs(merge) {}

  /// "" if it goes on.
  std::string bring(std::size_t leg, const Bytes& datagram) {
    now += ms;
    const auto drop = legs.judge(leg, datagram, now);
    return drop ? std::string(input_drop_names[static_cast<std::size_t>(*drop)]) : "";
  }
  /// Both legs bring the numbers from `first` to `last`, leg 0 first. All of it goes on once.
  void run(std::uint16_t first, std::uint16_t last, std::uint32_t ssrc = 1) {
    for (std::uint16_t number = first; number != static_cast<std::uint16_t>(last + 1); ++number) {
      REQUIRE(bring(0, rtp(number, ssrc)).empty());
      REQUIRE(bring(1, rtp(number, ssrc)) == "duplicate");
    }
  }
  [[nodiscard]] std::uint64_t lost() const {
    return legs.counts().span.get() - legs.counts().numbers.get();
  }
  [[nodiscard]] std::uint64_t resets() const { return legs.counts().resets.get(); }
  [[nodiscard]] std::uint64_t mismatches() const { return legs.counts().mismatches.get(); }

  Legs legs;
  std::uint64_t now = 1'000'000 * ms;
};

}  // namespace

TEST_CASE("the first copy goes on, the others are duplicates") {
  Merged merged;
  CHECK(merged.bring(0, rtp(10)).empty());
  CHECK(merged.bring(1, rtp(10)) == "duplicate");
  CHECK(merged.bring(1, rtp(11)).empty());
  CHECK(merged.bring(0, rtp(11)) == "duplicate");
  CHECK(merged.bring(0, rtp(11)) == "duplicate");
  CHECK(merged.legs.leg(0).unique.get() == 1);
  CHECK(merged.legs.leg(0).duplicates.get() == 2);
  CHECK(merged.legs.leg(1).unique.get() == 1);
  CHECK(merged.lost() == 0);
}

TEST_CASE("a hole of one leg is filled by the other, one of both is lost") {
  Merged merged;
  for (const auto number : std::initializer_list<std::uint16_t>{1, 2, 4, 6, 7})
    CHECK(merged.bring(0, rtp(number)).empty());
  CHECK(merged.lost() == 2);
  for (const auto number : std::initializer_list<std::uint16_t>{1, 2, 3, 4, 7})
    CHECK(merged.bring(1, rtp(number)) == (number == 3 ? "" : "duplicate"));
  CHECK(merged.lost() == 1);
  CHECK(merged.legs.leg(0).numbers.get() == 5);
  CHECK(merged.legs.leg(1).numbers.get() == 5);
}

TEST_CASE("numbers wrap") {
  Merged merged;
  merged.run(65'000, 1'000);
  CHECK(merged.resets() == 0);
  CHECK(merged.lost() == 0);
}

TEST_CASE("a stream that is played again after a silence goes on, though all of it is known") {
  const auto last = GENERATE(std::uint16_t{900}, std::uint16_t{140});      // far back, a step back
  const auto first = GENERATE(std::uint16_t{100}, std::uint16_t{65'500});  // also across the wrap
  Merged merged;
  merged.run(first, last);
  merged.now += ByNumber::quiet_ns;
  merged.run(first, last);
  CHECK(merged.resets() == 1);
  CHECK(merged.lost() == 0);
}

TEST_CASE("what comes again without a silence is a copy") {
  Merged merged;
  merged.run(100, 900);
  merged.now += ByNumber::quiet_ns / 2;
  for (std::uint16_t number = 100; number != 900; ++number)
    CHECK(merged.bring(1, rtp(number)) == "duplicate");
}

TEST_CASE(
    "the sender begins anew: the first leg waits for the second, nothing is lost or doubled") {
  const auto [ssrc, number] = GENERATE(table<unsigned, unsigned>({{2, 40'000},  // another SSRC
                                                                  {2, 105},     // at old numbers
                                                                  {1, 40'000},  // far away
                                                                  {1, 200}}));  // among known ones
  CAPTURE(ssrc, number);
  Merged merged;
  merged.run(100, 400);
  const auto content = ssrc == 1 && number == 200 ? 5U : 0U;
  const auto at = [&, ssrc = ssrc, number = number](unsigned n) {
    return rtp(static_cast<std::uint16_t>(number + n), ssrc, content);
  };
  constexpr unsigned ahead = 40;
  std::map<unsigned, unsigned> passed;
  for (unsigned n = 0; n < 300 + ahead; ++n) {
    if (n < 300 && merged.bring(1, at(n)).empty()) ++passed[n];
    if (n >= ahead && merged.bring(0, at(n - ahead)).empty()) ++passed[n - ahead];
    if (n < ahead) CHECK(merged.bring(0, rtp(static_cast<std::uint16_t>(401 + n))).empty());
  }
  CHECK(passed.size() == 300);
  CHECK(std::ranges::all_of(passed, [](const auto& one) { return one.second == 1; }));
  CHECK(merged.resets() == 1);
}

TEST_CASE("one leg alone is followed at once") {
  Merged merged;
  for (const auto first : std::initializer_list<std::uint16_t>{5, 30'000, 60'000, 100})
    for (std::uint16_t n = 0; n < 50; ++n)
      CHECK(merged.bring(0, rtp(static_cast<std::uint16_t>(first + n), first)).empty());
  CHECK(merged.resets() == 3);
}

TEST_CASE(
    "the sender begins anew: what only the first leg brings goes on, and what only the last one") {
  Merged merged;
  merged.run(100, 400);
  CHECK(merged.bring(1, rtp(402)).empty());
  CHECK(merged.bring(1, rtp(7, 2)).empty());
  CHECK(merged.bring(1, rtp(8, 2)).empty());
  CHECK(merged.bring(0, rtp(401)).empty());  // leg 1 has lost it
  CHECK(merged.bring(0, rtp(402)) == "duplicate");
  CHECK(merged.bring(0, rtp(7, 2)) == "duplicate");
  CHECK(merged.bring(0, rtp(9, 2)).empty());  // it has lost 8
  CHECK(merged.bring(1, rtp(9, 2)) == "duplicate");
  CHECK(merged.lost() == 0);
  CHECK(merged.resets() == 1);
  CHECK(merged.legs.leg(0).standby.get() + merged.legs.leg(1).standby.get() == 0);
}

TEST_CASE("a leg that turns to another stream goes on beside the others for a second at most") {
  Merged merged;
  merged.run(0, 100);
  std::uint16_t n = 0;
  for (; n < 500; ++n) {
    CHECK(merged.bring(1, rtp(n, 9, 5)).empty());
    CHECK(merged.bring(0, rtp(static_cast<std::uint16_t>(101 + n))).empty());
  }
  for (; n < 3'000; ++n) {
    CHECK(merged.bring(1, rtp(n, 9, 5)) == "standby");
    CHECK(merged.bring(0, rtp(static_cast<std::uint16_t>(101 + n))).empty());
  }
  CHECK(merged.legs.leg(1).aside.get() == 1);
  SECTION("and is followed when the others fall quiet") {
    merged.now += 1'000 * ms;
    CHECK(merged.bring(1, rtp(n, 9, 5)).empty());
    CHECK(merged.resets() == 2);
  }
  SECTION("and is merged again when it comes back") {
    CHECK(merged.bring(1, rtp(static_cast<std::uint16_t>(100 + n))) == "duplicate");
    CHECK(merged.bring(1, rtp(static_cast<std::uint16_t>(101 + n))).empty());
  }
}

TEST_CASE("a foreign leg stands by, is told, and does not harm") {
  const auto ssrc = GENERATE(1U, 2U);
  Merged merged;
  for (std::uint16_t n = 0; n < 3'000; ++n) {
    CHECK(merged.bring(0, rtp(n)).empty());
    CHECK(merged.bring(1, rtp(static_cast<std::uint16_t>(n + 30'000), ssrc, 3)) == "standby");
  }
  CHECK(merged.resets() == 0);
  CHECK(merged.legs.leg(1).aside.get() == 1);
  CHECK(merged.legs.leg(0).aside.get() == 0);
  CHECK(merged.mismatches() > 100);
}

TEST_CASE("legs with the same numbers and another content are merged no more") {
  Merged merged;
  std::size_t mixed = 0;
  for (std::uint16_t n = 0; n < 2'000; ++n) {
    const bool turn = n % 3 == 0;
    mixed += std::size_t{merged.bring(turn ? 1 : 0, rtp(n, 1, turn ? 1 : 0)).empty() && turn};
    static_cast<void>(merged.bring(turn ? 0 : 1, rtp(n, 1, turn ? 0 : 1)));
  }
  CHECK(mixed < 100);
  CHECK(merged.legs.leg(1).aside.get() == 1);
  SECTION("until they agree again") {
    for (std::uint16_t n = 2'000; n < 2'200; ++n) {
      CHECK(merged.bring(0, rtp(n)).empty());
      CHECK(merged.bring(1, rtp(n)) == "duplicate");
    }
    CHECK(merged.legs.leg(1).aside.get() == 0);
    CHECK(merged.bring(1, rtp(2'200)).empty());
  }
  SECTION("or the other one falls quiet") {
    merged.now += 1'000 * ms;
    CHECK(merged.bring(1, rtp(2'001, 1, 1)).empty());
    CHECK(merged.bring(1, rtp(2'002, 1, 1)).empty());
  }
}

TEST_CASE("a leg that lags by more than is remembered is late") {
  Merged merged(by_number);
  const auto at = [](std::uint32_t number) { return numbered(number); };
  for (std::uint32_t n = 0; n < 10; ++n) {
    REQUIRE(merged.bring(0, at(n)).empty());
    REQUIRE(merged.bring(1, at(n)) == "duplicate");
  }
  for (std::uint32_t n = 10; n < 80'000; ++n)
    REQUIRE(!merged.legs.judge(0, at(n), merged.now));
  for (std::uint32_t n = 10; n < 40'000; ++n)
    REQUIRE(merged.legs.judge(1, at(n), merged.now) == InputDrop::late);
  for (std::uint32_t n = 60'000; n < 80'000; ++n)
    REQUIRE(merged.legs.judge(1, at(n), merged.now) == InputDrop::duplicate);
}

TEST_CASE("16-bit numbers: a leg late by more than half a lap is not mistaken for an early one") {
  Merged merged;
  constexpr std::uint32_t lag = 50'000;
  std::uint32_t behind = 0;
  for (std::uint32_t n = 0; n < 200'000; ++n) {
    REQUIRE(!merged.legs.judge(0, rtp(static_cast<std::uint16_t>(n)), merged.now));
    if (n < lag && n % 4 != 0) continue;  // falls behind
    const auto drop = merged.legs.judge(1, rtp(static_cast<std::uint16_t>(behind++)), merged.now);
    REQUIRE(drop.has_value());
  }
  CHECK(merged.legs.leg(1).late.get() > 100'000);
}

TEST_CASE("an outage of all legs is a loss where numbers can tell, else the sender anew") {
  const auto wide = GENERATE(true, false);
  Merged merged(wide ? by_number : by_rtp);
  const auto at = [&](std::uint32_t n) {
    return wide ? numbered(n) : rtp(static_cast<std::uint16_t>(n));
  };
  CHECK(merged.bring(0, at(1)).empty());
  merged.now += 5'000 * ms;
  CHECK(merged.bring(0, at(30'001)).empty());
  CHECK(merged.bring(1, at(30'001)) == "duplicate");
  CHECK(merged.lost() == (wide ? 29'999 : 0));
  CHECK(merged.resets() == (wide ? 0 : 1));
}

TEST_CASE("MoldUDP64: a datagram takes as many numbers as it has messages") {
  Merged merged(by_mold);
  CHECK(merged.bring(0, mold(1, 3)).empty());
  CHECK(merged.bring(1, mold(1, 3)) == "duplicate");
  CHECK(merged.bring(1, mold(6, 2)).empty());
  CHECK(merged.lost() == 2);
  CHECK(merged.bring(0, mold(4, 2)).empty());
  CHECK(merged.lost() == 0);
  SECTION("heartbeats come from the leg that leads") {
    CHECK(merged.bring(0, mold(8, 0)).empty());
    CHECK(merged.bring(1, mold(8, 0)) == "duplicate");
    merged.now += 3'000 * ms;
    CHECK(merged.bring(1, mold(8, 0)).empty());
  }
  SECTION("legs that pack messages differently are no copies") {
    for (std::uint64_t n = 8; n < 1'000; n += 4) {
      CHECK(merged.bring(0, mold(n, 4)).empty());
      CHECK_FALSE(merged.bring(1, mold(n, 2)).empty());
      CHECK_FALSE(merged.bring(1, mold(n + 2, 2)).empty());
    }
    CHECK(merged.legs.leg(1).aside.get() == 1);
  }
  SECTION("another session is the feed anew") {
    merged.now += 1'000 * ms;
    CHECK(merged.bring(1, mold(1, 3, "SESSION001")).empty());
    CHECK(merged.bring(0, mold(1, 3, "SESSION001")) == "duplicate");
  }
}

TEST_CASE("what bears no number comes from the leg that leads") {
  Merged merged;
  const Bytes rtcp{std::byte{0x80}, std::byte{200}, std::byte{0}, std::byte{1}};
  CHECK(merged.bring(1, rtp(1)).empty());
  CHECK(merged.bring(0, rtcp) == "duplicate");
  CHECK(merged.bring(1, rtcp).empty());
}

TEST_CASE("how late copies come, and how far a leg has come") {
  Merged merged;
  for (std::uint16_t n = 0; n < 1'000; ++n) {
    static_cast<void>(merged.bring(0, rtp(n)));
    if (n >= 40) static_cast<void>(merged.bring(1, rtp(static_cast<std::uint16_t>(n - 40))));
  }
  const auto& leg = merged.legs.leg(1);
  CHECK(leg.skew.most_us() > 70'000);
  CHECK(leg.skew.most_us() < 90'000);
  CHECK(leg.skew.median_us() > 60'000);
  CHECK(merged.legs.leg(0).skew.most_us() == 0);
  CHECK(leg.reached.get() == 960);
  CHECK(leg.before.get() == 0);
  CHECK(leg.numbers.get() == 960);
}

/// Random legs against a model that knows everything that came.
TEST_CASE("whatever the legs do, each number goes on once, when its first copy comes") {
  const auto seed = GENERATE(range(0U, 40U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution(0U, most)(random); };
  const std::size_t count = 2 + up_to(6);
  struct Copy {
    std::uint64_t at;
    std::size_t leg;
    std::uint32_t number;
  };
  const auto first = up_to(1) == 0 ? 65'000U : up_to(65'535);
  const auto kind = up_to(2);
  std::vector<Copy> copies;
  for (std::size_t leg = 0; leg < count; ++leg) {
    const auto loss = up_to(40);
    const auto skew = up_to(3'000);
    const auto jitter = 1 + up_to(60);
    for (std::uint32_t n = 0; n < 5'000; ++n) {
      if (up_to(99) < loss) continue;
      const auto times = up_to(99) < 3 ? 2 : 1;
      for (int i = 0; i < times; ++i)
        copies.push_back({std::uint64_t{n} + skew + up_to(jitter), leg, first + n});
    }
  }
  std::ranges::stable_sort(copies, {}, &Copy::at);

  Merged merged(kind == 0 ? by_rtp : kind == 1 ? by_mold : by_number);
  std::set<std::uint32_t> seen;
  std::array<std::uint64_t, limits::legs> unique{};
  std::array<std::set<std::uint32_t>, limits::legs> brought;
  for (const auto& [at, leg, number] : copies) {
    const auto datagram = kind == 0   ? rtp(static_cast<std::uint16_t>(number))
                          : kind == 1 ? mold(number, 1)
                                      : numbered(number);
    const bool is_new = seen.insert(number).second;
    unique[leg] += std::uint64_t{is_new};
    brought[leg].insert(number);
    const auto drop = merged.legs.judge(leg, datagram, at * 100'000 + ms);
    REQUIRE(drop == (is_new ? std::nullopt : std::optional(InputDrop::duplicate)));
  }
  const auto span = *seen.rbegin() - *seen.begin() + 1U;
  CHECK(merged.lost() == span - seen.size());
  CHECK(merged.resets() == 0);
  CHECK(merged.mismatches() == 0);
  for (std::size_t leg = 0; leg < count; ++leg) {
    const auto& counted = merged.legs.leg(leg);
    CHECK(counted.unique.get() == unique[leg]);
    CHECK(counted.numbers.get() == brought[leg].size());
    CHECK(counted.received.get() == counted.unique.get() + counted.duplicates.get());
  }
}

/// RTP wraps after 65 ms then, so a leg may lag by 32 ms.
TEST_CASE("a million a second") {
  constexpr std::uint64_t us = 1'000;
  constexpr std::uint32_t count = 140'000;
  const std::uint64_t lag = GENERATE(0U, 10'000U, 30'000U);
  CAPTURE(lag);
  std::mt19937 random(1);
  std::vector<bool> seen(count);
  Merged merged;
  std::uint64_t distinct = 0;
  std::uint64_t wrong = 0;  // a REQUIRE for each would take seconds
  const auto bring = [&](std::size_t leg, std::uint64_t number, std::uint64_t at_us) {
    const auto drop =
        merged.legs.judge(leg, rtp(static_cast<std::uint16_t>(number)), merged.now + at_us * us);
    const auto wanted = seen[number] ? std::optional(InputDrop::duplicate) : std::nullopt;
    wrong += std::uint64_t{drop != wanted};
    distinct += std::uint64_t{!seen[number]};
    seen[number] = true;
  };
  for (std::uint64_t at = 0; at < count + lag; ++at) {
    // Each leg loses by itself; the first one changes the order of neighbours.
    if (at < count && random() % 20 != 0) bring(0, at ^ (at < count / 2 ? 1U : 0U), at);
    if (at >= lag && random() % 20 != 0) bring(1, at - lag, at);
  }
  CHECK(wrong == 0);
  CHECK(distinct > count * 99 / 100);
  CHECK(distinct < count);
  CHECK(merged.lost() == merged.legs.counts().span.get() - distinct);
  CHECK(merged.legs.counts().span.get() <= count);
  CHECK(merged.legs.counts().span.get() >= count - 100);
  CHECK(merged.resets() == 0);
  CHECK(merged.mismatches() == 0);
}
