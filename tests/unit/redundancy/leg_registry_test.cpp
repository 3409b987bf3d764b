#include "mcr/redundancy/leg_registry.hpp"

#include "catch.hpp"
#include "datagrams.hpp"
#include "mcr/config/rule.hpp"

using namespace mcr;
using namespace mcr::redundancy;

namespace {

Rule two_legs() {
  Rule rule;
  rule.name = "a";
  rule.merge = by_rtp;
  for (const auto* name : {"e0", "e1"}) {
    Input input;
    input.interface = name;
    input.port = 5;
    rule.inputs.push_back(input);
  }
  return rule;
}

}  // namespace

TEST_CASE("a rule keeps its legs, and an input its number") {
  LegRegistry registry;
  auto rule = two_legs();
  const auto legs = registry.get(rule);
  REQUIRE(legs);
  CHECK(registry.get(rule) == legs);
  CHECK(registry.find(rule) == legs);
  SECTION("also when inputs change places, come, and go") {
    std::swap(rule.inputs[0], rule.inputs[1]);
    rule.inputs.push_back(rule.inputs[0]);
    rule.inputs[2].port = 6;
    CHECK(registry.get(rule) == legs);
    CHECK(registry.number_of(rule, rule.inputs[0]) == 1);
    CHECK(registry.number_of(rule, rule.inputs[1]) == 0);
    CHECK(registry.number_of(rule, rule.inputs[2]) == 2);
  }
  SECTION("also with another priority") {
    rule.inputs[0].priority = 7;
    CHECK(registry.get(rule) == legs);
    CHECK(registry.number_of(rule, rule.inputs[0]) == 0);
  }
  SECTION("also with another window") {
    rule.merge->order = Merge::Order::sequence;
    const auto sequence = registry.get(rule);
    CHECK(sequence != legs);
    rule.merge->window = std::chrono::milliseconds(7);
    rule.merge->pace = true;
    CHECK(registry.get(rule) == sequence);
  }
  SECTION("not when it is merged by something else") {
    rule.merge = by_content;
    CHECK(registry.get(rule) != legs);
  }
  SECTION("not when numbers run out") {
    for (std::uint16_t port = 10; port < 16; ++port) {
      rule.inputs[1].port = port;
      CHECK(registry.get(rule) == legs);
    }
    rule.inputs[1].port = 20;
    CHECK(registry.get(rule) != legs);
    CHECK(registry.number_of(rule, rule.inputs[1]) == 1);
  }
}

TEST_CASE("what nothing holds is forgotten; a plain rule has no legs") {
  LegRegistry registry;
  auto rule = two_legs();
  static_cast<void>(registry.get(rule));
  registry.sweep();
  CHECK_FALSE(registry.find(rule));
  SECTION("but not before its worker has come back for what waits") {
    registry.get(rule)->set_expected(true);
    registry.sweep();
    REQUIRE(registry.find(rule));
    registry.find(rule)->set_expected(false);
    registry.sweep();
    CHECK_FALSE(registry.find(rule));
  }
  rule.merge.reset();
  CHECK_FALSE(registry.get(rule));
}
