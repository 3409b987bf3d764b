#include "mcr/control/leg_watch.hpp"

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

/// A rule with two inputs, and the time at which each of them is heard.
struct Watch {
  explicit Watch(bool merge = false) {
    if (merge)
      rule.merge.emplace();
    else
      rule.failover.emplace();
    legs = registry.get(rule);
    follow();
  }
  void follow() {
    legs = registry.get(rule);
    RuleStatus status;
    status.input_reasons.resize(rule.inputs.size());
    watch.follow(std::span(&rule, 1), std::span(&status, 1), registry, now);
  }
  void hear(std::size_t leg) {
    static_cast<void>(legs->judge(
        leg, {},
        static_cast<std::uint64_t>(std::chrono::nanoseconds(now.time_since_epoch()).count())));
  }
  void pass(std::chrono::milliseconds time, bool first, bool second) {
    for (const auto end = now + time; now < end; now += LegWatch::interval) {
      if (first) hear(0);
      if (second) hear(1);
      watch.look(now);
    }
    watch.tick(now);
  }

  /// A copy of what the watch knows of the rule.
  LegWatch::Watched known() const {
    LegWatch::Watched copy;
    CHECK(watch.visit("a", [&](const LegWatch::Watched& watched) { copy = watched; }));
    return copy;
  }

  Rule rule = rule_of_two_inputs("a");
  redundancy::LegRegistry registry;
  std::shared_ptr<redundancy::Legs> legs;
  LegWatch watch;
  LegWatch::Clock::time_point now{1'000s};
};

}  // namespace

TEST_CASE("inputs that are not warm: what is to be joined") {
  Watch one;
  one.rule.inputs[1].warm = false;
  const auto joins = [&](std::size_t input) {
    return one.watch.joins(one.rule, one.rule.inputs[input]);
  };
  one.follow();
  CHECK(one.watch.take_join_change());
  CHECK(joins(0));
  CHECK_FALSE(joins(1));
  one.pass(1s, true, false);
  CHECK_FALSE(one.watch.take_join_change());
  one.pass(400ms, false, false);
  CHECK(one.watch.take_join_change());
  CHECK_FALSE(one.watch.take_join_change());
  CHECK(joins(1));
  CHECK(one.legs->on_air() == 0);
  one.pass(100ms, false, true);
  CHECK(one.legs->on_air() == 1);
  CHECK_FALSE(one.watch.take_join_change());

  SECTION("a reload keeps what is joined, and sees a change of the key") {
    std::swap(one.rule.inputs[0], one.rule.inputs[1]);
    CHECK(joins(0));
    one.follow();
    CHECK(joins(0));
    one.rule.inputs[0].warm = true;
    one.follow();
    CHECK(joins(0));
    CHECK(one.legs->on_air() == 1);
  }
  SECTION("it is left when the other one is back on air") {
    one.pass(11s, true, true);
    CHECK(one.legs->on_air() == 0);
    CHECK(one.watch.take_join_change());
    CHECK_FALSE(joins(1));
  }
  SECTION("by hand") {
    one.pass(11s, true, true);
    static_cast<void>(one.watch.take_join_change());
    CHECK(one.watch.put_on_air("a", 1, {}, one.now).empty());
    CHECK(one.watch.take_join_change());
    CHECK(joins(1));
    CHECK(one.watch.trouble("a") == "input 2 is on air by hand as soon as it is heard");
  }
}

TEST_CASE("of a rule that is yet to run the best input is joined, and all that are warm") {
  Watch one;
  auto rule = one.rule;
  rule.name = "b";
  rule.inputs[0].warm = rule.inputs[1].warm = false;
  CHECK(one.watch.joins(rule, rule.inputs[0]));
  CHECK_FALSE(one.watch.joins(rule, rule.inputs[1]));
  rule.failover.reset();
  CHECK(one.watch.joins(rule, rule.inputs[1]));
}

TEST_CASE("failover: the worker is told who is on air") {
  Watch one;
  CHECK(one.watch.has_failover());
  one.pass(1s, true, true);
  CHECK(one.legs->on_air() == 0);
  CHECK(one.watch.trouble("a").empty());
  one.pass(400ms, false, true);
  CHECK(one.legs->on_air() == 1);
  CHECK(one.watch.trouble("a") == "on backup: input 2 is on air");
  CHECK(one.known().on_air.switches() == 1);

  SECTION("a reload of the rule keeps it") {
    one.rule.comment = "another";
    one.follow();
    CHECK(one.legs->on_air() == 1);
    CHECK(one.known().on_air.switches() == 1);
  }
  SECTION("inputs that change places are the same") {
    std::swap(one.rule.inputs[0], one.rule.inputs[1]);
    one.follow();
    CHECK(one.legs->on_air() == 1);
    CHECK(one.known().on_air.on_air() == 0);
  }
  SECTION("without the rule nothing is left") {
    one.watch.follow({}, {}, one.registry, one.now);
    CHECK_FALSE(one.watch.has_failover());
    CHECK_FALSE(one.watch.visit("a", [](const LegWatch::Watched&) {}));
    one.watch.visit_all([](const LegWatch::Watched&) { FAIL("a rule is left"); });
  }
}

TEST_CASE("failover: an input that is not as expected is left, and why") {
  Watch one;
  one.pass(1s, true, true);
  one.watch.set_shortcoming("a", 0, "5% lost");
  one.pass(20ms, true, true);
  CHECK(one.legs->on_air() == 1);
  CHECK(one.known().on_air.why_not(0, *one.rule.failover, one.now) == "5% lost");
  one.rule.comment = "another";
  one.follow();
  one.pass(20s, true, true);
  CHECK(one.legs->on_air() == 1);
  one.watch.set_shortcoming("a", 0, "");
  one.pass(11s, true, true);
  CHECK(one.legs->on_air() == 0);
}

TEST_CASE("failover: a look with a time before the last one is no recovery") {
  Watch one;
  one.pass(1s, true, true);
  one.pass(400ms, false, true);
  CHECK_FALSE(one.known().on_air.healthy(0));
  const auto why = one.known().on_air.why_not(0, *one.rule.failover, one.now);
  one.watch.look(one.now - 390ms);
  one.now -= 390ms;
  one.follow();
  CHECK(one.watch.put_on_air("a", {}, {}, one.now).empty());
  one.now += 390ms;
  CHECK(one.known().on_air.why_not(0, *one.rule.failover, one.now) == why);
  CHECK(one.known().on_air.on_air() == 1);
}

TEST_CASE("failover: a look tells if inputs are to be joined, until that is taken") {
  Watch one;
  one.rule.inputs[1].warm = false;
  one.follow();
  CHECK(one.watch.take_join_change());
  one.pass(1s, true, false);
  CHECK_FALSE(one.watch.look(one.now));
  one.pass(400ms, false, false);
  CHECK(one.watch.look(one.now));
  CHECK(one.watch.take_join_change());
  CHECK_FALSE(one.watch.look(one.now));
}

TEST_CASE("failover: 1,000 rules at once") {
  constexpr std::size_t count = 1'000;
  Watch one;
  std::vector<Rule> rules(count, one.rule);
  std::vector<RuleStatus> statuses(count);
  std::vector<std::shared_ptr<redundancy::Legs>> legs;
  for (std::size_t i = 0; i < count; ++i) {
    rules[i].name = "rule-" + std::to_string(i);
    statuses[i].input_reasons.resize(2);
    legs.push_back(one.registry.get(rules[i]));
  }
  one.watch.follow(rules, statuses, one.registry, one.now);
  const auto pass = [&](std::chrono::milliseconds time, bool first) {
    for (const auto end = one.now + time; one.now < end; one.now += LegWatch::interval) {
      const auto ns =
          static_cast<std::uint64_t>(std::chrono::nanoseconds(one.now.time_since_epoch()).count());
      for (const auto& each : legs)
        for (std::size_t leg = first ? 0 : 1; leg < 2; ++leg)
          static_cast<void>(each->judge(leg, {}, ns));
      one.watch.look(one.now);
    }
  };
  const auto on_air = [&](std::size_t input) {
    return std::ranges::count_if(legs, [&](const auto& each) { return each->on_air() == input; });
  };
  pass(100ms, true);
  CHECK(on_air(0) == count);
  pass(290ms, false);
  CHECK(on_air(0) == count);
  pass(20ms, false);
  CHECK(on_air(1) == count);
}

TEST_CASE("failover: by hand") {
  Watch one;
  one.pass(1s, true, true);
  CHECK(one.watch.put_on_air("b", 0, {}, one.now) == "no rule b with `failover` runs");
  CHECK(one.watch.put_on_air("a", 2, {}, one.now) == "rule a has 2 inputs");
  CHECK(one.watch.put_on_air("a", 1, {}, one.now).empty());
  CHECK(one.legs->on_air() == 1);
  CHECK(one.watch.trouble("a") == "input 2 is on air by hand");
  one.rule.comment = "another";
  one.follow();
  CHECK(one.known().switch_reason == "by hand");
  one.pass(20s, true, false);
  CHECK(one.legs->on_air() == 1);
  CHECK(one.watch.put_on_air("a", {}, {}, one.now).empty());
  CHECK(one.legs->on_air() == 0);
}

TEST_CASE("merge in sequence: a leg that is behind by more than the window is told") {
  Watch one(true);
  one.rule.merge->order = Merge::Order::sequence;
  one.rule.merge->window = 50ms;
  one.follow();
  const auto lag = GENERATE(40, 63);
  const auto number = [](int n) {
    return std::array{std::byte{0x80},
                      std::byte{96},
                      static_cast<std::byte>(n >> 8),
                      static_cast<std::byte>(n),
                      std::byte{0},
                      std::byte{0},
                      std::byte{0},
                      std::byte{0},
                      std::byte{0},
                      std::byte{0},
                      std::byte{0},
                      std::byte{1}};
  };
  for (int n = 0; n < 500; ++n, one.now += 1ms) {
    const auto ns =
        static_cast<std::uint64_t>(std::chrono::nanoseconds(one.now.time_since_epoch()).count());
    CHECK_FALSE(one.legs->judge(0, number(n), ns));
    if (n >= lag) CHECK(one.legs->judge(1, number(n - lag), ns) == InputDrop::duplicate);
  }
  one.watch.tick(one.now);
  CHECK(one.watch.trouble("a") ==
        (lag == 40 ? "" : "input 2 is up to 63 ms behind: window too small"));
}

TEST_CASE("merge: a leg that is lost while another is heard is told") {
  Watch one(true);
  CHECK_FALSE(one.watch.has_failover());
  one.pass(1s, true, true);
  CHECK(one.watch.trouble("a").empty());
  one.pass(3s, true, false);
  CHECK(one.watch.trouble("a") == "input 2 is lost");
  one.pass(1s, true, true);
  CHECK(one.watch.trouble("a").empty());
  one.pass(5s, false, false);
  CHECK(one.watch.trouble("a").empty());
}
