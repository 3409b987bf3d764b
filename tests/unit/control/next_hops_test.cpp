#include "mcr/control/next_hops.hpp"

#include <cerrno>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

/// Two rules that send to 10.1.0.9, and one to a group.
struct Watch {
  NextHop hop;
  std::uint64_t sent = 0;
  std::vector<Way> asked;
  NextHops hops{[this](const Way& way) {
    asked.push_back(way);
    auto found = hop;
    if (!found.address) found.address = way.destination;
    return found;
  }};
  std::vector<Rule> rules;
  const OutputKey output{"a", "out", {ip("10.1.0.9"), 6000}};

  Watch() {
    rules = {rule("a", ip("239.1.1.1"), 5000), rule("b", ip("239.1.1.2"), 5000),
             rule("c", ip("239.1.1.3"), 5000)};
    for (const auto r : {0U, 1U})
      rules[r].outputs[0].destination = ip("10.1.0.9");
    watch();
  }
  void watch() {
    std::vector<RuleStatus> statuses;
    for (const auto& one : rules)
      statuses.push_back(rule_status(one, two_interfaces(), never_refused));
    hops.watch(rules, statuses, two_interfaces());
  }
  std::vector<NextHops::Event> tick(Neighbour neighbour, std::uint64_t more = 0) {
    hop.neighbour = neighbour;
    sent += more;
    return hops.tick([this](const OutputKey&) { return sent; });
  }
};

}  // namespace

TEST_CASE("next hops: one question for a way, none for a group") {
  Watch watch;
  CHECK(watch.tick(Neighbour::usable).empty());
  CHECK(watch.asked == std::vector<Way>{{3, ip("10.1.0.9"), source}});
}

TEST_CASE("next hops: a neighbour that fails is told once, and what is sent to it is counted") {
  Watch watch;
  CHECK(watch.tick(Neighbour::usable, 100).empty());
  const auto events = watch.tick(Neighbour::failed, 100);
  REQUIRE(events.size() == 1);
  CHECK(events[0].dead);
  CHECK(events[0].reason.error == EHOSTUNREACH);
  CHECK(events[0].reason == "10.1.0.9 does not answer on out: what is sent there is lost");
  CHECK(watch.hops.unreachable(watch.output) == 0);  // it may have been well until now
  CHECK(watch.tick(Neighbour::resolving, 7).empty());
  CHECK(watch.hops.unreachable(watch.output) == 7);
  CHECK(watch.hops.reason(watch.output).error == EHOSTUNREACH);
  watch.watch();  // a reload
  CHECK(watch.tick(Neighbour::failed, 3).empty());
  CHECK(watch.hops.unreachable(watch.output) == 10);
  const auto back = watch.tick(Neighbour::usable, 50);
  REQUIRE(back.size() == 1);
  CHECK_FALSE(back[0].dead);
  CHECK(watch.hops.reason(watch.output).empty());
  CHECK(watch.hops.unreachable(watch.output) == 10);
}

TEST_CASE("next hops: one that is being resolved is dead at the second look") {
  Watch watch;
  CHECK(watch.tick(Neighbour::resolving, 5).empty());
  CHECK(watch.hops.reason(watch.output).empty());
  CHECK(watch.tick(Neighbour::resolving, 5).size() == 1);
  CHECK(watch.hops.unreachable(watch.output) == 5);

  Watch quick;
  CHECK(quick.tick(Neighbour::resolving, 5).empty());
  CHECK(quick.tick(Neighbour::usable, 5).empty());
  CHECK(quick.tick(Neighbour::resolving, 5).empty());
}

TEST_CASE("next hops: a missing route is told as such") {
  Watch watch;
  watch.hop.error = ENETUNREACH;
  const auto events = watch.tick(Neighbour::unknown);
  REQUIRE(events.size() == 1);
  CHECK(events[0].reason == "no route to 10.1.0.9 by out: Network is unreachable");
  watch.hop.error = 0;
  watch.hop.assumed = true;
  CHECK(watch.tick(Neighbour::failed).empty());
  CHECK(watch.hops.reason(watch.output) ==
        "no route to 10.1.0.9 by out, and no host there has that address");
  watch.hop.assumed = false;
  watch.hop.address = ip("10.1.0.254");
  CHECK(watch.tick(Neighbour::failed).empty());
  CHECK(watch.hops.reason(watch.output) ==
        "the gateway 10.1.0.254 does not answer on out: what is sent there is lost");
}

TEST_CASE("next hops: thousands are looked at a few each second, all in turn") {
  Watch watch;
  watch.rules.clear();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    auto one = rule("r" + std::to_string(i), ip("239.1.1.1").plus(i), 5000);
    one.outputs[0].destination = ip("10.1.1.0").plus(i);
    watch.rules.push_back(one);
  }
  watch.watch();
  for (int i = 0; i < 5; ++i)
    CHECK(watch.tick(Neighbour::usable).empty());
  CHECK(watch.asked.size() == 1000);
  std::ranges::sort(watch.asked);
  CHECK(std::ranges::adjacent_find(watch.asked) == watch.asked.end());
}
