#include "mcr/control/leg_lookout.hpp"

#include <poll.h>

#include <array>
#include <atomic>
#include <thread>

#include "catch.hpp"
#include "mcr/rules/rule_state.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

using Clock = LegWatch::Clock;

/// A rule whose first input is silent; the second one is cold.
struct Silent {
  Silent() {
    rule.failover.emplace();
    rule.inputs[1].warm = false;
    legs = registry.get(rule);
    RuleStatus status;
    status.input_reasons.resize(2);
    watch.follow(std::span(&rule, 1), std::span(&status, 1), registry, Clock::now());
    static_cast<void>(watch.take_join_change());
  }
  void hear(std::size_t leg) const {
    const std::chrono::nanoseconds now = Clock::now().time_since_epoch();
    static_cast<void>(legs->judge(leg, {}, static_cast<std::uint64_t>(now.count())));
  }
  [[nodiscard]] bool joins_second() const { return watch.joins(rule, rule.inputs[1]); }

  Rule rule = rule_of_two_inputs("a");
  redundancy::LegRegistry registry;
  std::shared_ptr<redundancy::Legs> legs;
  LegWatch watch;
};

bool has_news(const LegLookout& lookout) {
  pollfd wait{lookout.join_news().get(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

void until(auto&& condition) {
  while (!condition())
    std::this_thread::yield();
}

}  // namespace

TEST_CASE("the lookout switches and tells of joins while nobody else does anything") {
  Silent one;
  LegLookout lookout(one.watch);
  lookout.start();
  CHECK_FALSE(has_news(lookout));
  lookout.set_due(true);
  until([&] { return has_news(lookout); });
  CHECK(one.watch.take_join_change());
  CHECK(one.joins_second());
  until([&] {
    one.hear(1);
    return one.legs->on_air() == 1;
  });
}

TEST_CASE("the lookout ends while looks are due, while none is, and without a start") {
  Silent one;
  LegLookout lookout(one.watch);
  SECTION("due") {
    lookout.set_due(true);
    lookout.start();
    until([&] { return has_news(lookout); });
  }
  SECTION("not due any more") {
    lookout.start();
    lookout.set_due(true);
    lookout.set_due(false);
  }
  SECTION("not started") {
    lookout.set_due(true);
  }
  lookout.stop();
  lookout.take_join_news();
  CHECK_FALSE(has_news(lookout));
}

TEST_CASE("what is known of a rule can be read and changed while looks go on") {
  Silent one;
  LegLookout lookout(one.watch);
  lookout.set_due(true);
  lookout.start();
  std::size_t seen = 0;
  for (const auto* shortcoming : {"5% lost", ""}) {
    one.watch.set_shortcoming("a", 0, shortcoming);
    one.watch.visit_all([&](const LegWatch::Watched& watched) { seen += watched.looks.size(); });
    CHECK(one.watch.put_on_air("a", 0, {}, Clock::now()).empty());
    CHECK(one.watch.trouble("a").starts_with("input 1 is on air by hand"));
    RuleStatus status;
    status.input_reasons.resize(2);
    one.watch.follow(std::span(&one.rule, 1), std::span(&status, 1), one.registry, Clock::now());
  }
  CHECK(seen == 4);
}
