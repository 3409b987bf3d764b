#include "mcr/control/reload_plan.hpp"

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

const Endpoint a{ip("239.1.1.1"), 5000};
const Endpoint b{ip("239.1.1.2"), 5000};
const Endpoint c{ip("239.1.1.3"), 5000};

/// A table with one rule for each destination: all on rx slot 0, sent by tx slot 0.
RuleTable table_for(const std::vector<Endpoint>& destinations) {
  std::vector<Rule> rules;
  for (const auto& to : destinations)
    rules.push_back(rule(fmt::format("{}", to), to.address, to.port));
  return compiled(rules, two_interfaces()).table;
}

ReloadPlan plan_for(const std::vector<Endpoint>& destinations, const OpenSockets& open) {
  ReloadPlan plan;
  plan_sockets(plan, table_for(destinations), open);
  return plan;
}

OpenSockets passing(std::vector<Endpoint> destinations, bool exact = true) {
  return {{{0, {std::move(destinations), exact}}}, {0}};
}

std::vector<std::uint16_t> slots_of(const auto& sockets) {
  std::vector<std::uint16_t> slots;
  for (const auto& socket : sockets)
    slots.push_back(socket.slot);
  return slots;
}

using Filters = std::vector<RxFilter>;
using Slots = std::set<std::uint16_t>;

}  // namespace

TEST_CASE("the groups of old and new rules are joined, those of the new ones are kept") {
  const Group one{"in", ip("239.1.1.1"), {}};
  const Group two{"in", ip("239.1.1.2"), {}};
  const Group three{"in", ip("239.1.1.3"), ip("10.0.0.5")};
  const auto plan = plan_groups({one, two}, {two, three});
  CHECK(plan.join == std::set{one, two, three});
  CHECK(plan.keep == std::set{two, three});
}

TEST_CASE("filters are widened to what both tables want, and then narrowed to the new one") {
  struct Row {
    const char* what;
    std::vector<Endpoint> wanted;
    OpenSockets open;
    Filters widen;
    Filters narrow;
  };
  const std::vector<Row> rows{
      {"nothing is open", {a, b}, {}, {{0, {a, b}}}, {}},
      {"nothing changes", {a, b}, passing({a, b}), {}, {}},
      {"one is added", {a, b}, passing({a}), {{0, {a, b}}}, {}},
      {"one is removed", {a}, passing({a, b}), {}, {{0, {a}}}},
      {"one is replaced", {a, c}, passing({a, b}), {{0, {a, b, c}}}, {{0, {a, c}}}},
      {"all are removed", {}, passing({a, b}), {}, {{0, {}}}},
      {"a change failed half-way", {a}, passing({a}, false), {}, {{0, {a}}}},
      {"a change failed half-way, and one is added",
       {a, b},
       passing({a}, false),
       {{0, {a, b}}},
       {{0, {a, b}}}},
      {"a change failed half-way, and all are removed", {}, passing({}, false), {}, {{0, {}}}},
      {"closed already but for its last frames", {}, passing({}), {}, {}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto plan = plan_for(row.wanted, row.open);
    CHECK(plan.widen == row.widen);
    CHECK(plan.narrow == row.narrow);
  }
}

TEST_CASE("what is missing is opened, and what is not wanted is retired") {
  const auto first = plan_for({a, b}, {});
  CHECK(slots_of(first.open_rx) == std::vector<std::uint16_t>{0});
  CHECK(slots_of(first.open_tx) == std::vector<std::uint16_t>{0});
  CHECK(first.retire_rx.empty());
  CHECK(first.retire_tx.empty());
  CHECK(first.publish == 1);

  const auto same = plan_for({a, b}, passing({a, b}));
  CHECK(same.open_rx.empty());
  CHECK(same.open_tx.empty());
  CHECK(same.retire_rx.empty());
  CHECK(same.retire_tx.empty());

  const auto none = plan_for({}, passing({a, b}));
  CHECK(none.retire_rx == Slots{0});
  CHECK(none.retire_tx == Slots{0});

  const auto others = plan_for({a}, {{{7, {{b}, true}}}, {8, 9}});
  CHECK(slots_of(others.open_rx) == std::vector<std::uint16_t>{0});
  CHECK(slots_of(others.open_tx) == std::vector<std::uint16_t>{0});
  CHECK(others.narrow == Filters{{7, {}}});
  CHECK(others.retire_rx == Slots{7});
  CHECK(others.retire_tx == Slots{8, 9});
}

TEST_CASE("an input asks for its groups, from single sources or from any") {
  auto input = rule("a", ip("239.1.1.0"), 5000).inputs[0];
  CHECK(groups_of(input) == std::vector<Group>{{"in", ip("239.1.1.0"), {}}});
  input.addresses = 2;
  input.sources = {Prefix(ip("10.0.0.5"), 32), Prefix(ip("10.0.0.6"), 32)};
  CHECK(groups_of(input).size() == 4);
  CHECK(groups_of(input)[3] == Group{"in", ip("239.1.1.1"), ip("10.0.0.6")});
  input.sources.emplace_back(ip("10.0.1.0"), 24);
  CHECK(groups_of(input) ==
        std::vector<Group>{{"in", ip("239.1.1.0"), {}}, {"in", ip("239.1.1.1"), {}}});
  input.local = true;
  CHECK(groups_of(input).empty());

  auto all_but = rule("c", ip("239.1.1.0"), 5000).inputs[0];
  all_but.excluded = {ip("10.0.0.5"), ip("10.0.0.6")};
  CHECK(groups_of(all_but) ==
        std::vector<Group>{{"in", ip("239.1.1.0"), {}, {ip("10.0.0.5"), ip("10.0.0.6")}}});
  auto some_but = all_but;
  some_but.sources = {Prefix(ip("10.0.0.0"), 24)};
  CHECK(groups_of(some_but) == std::vector<Group>{{"in", ip("239.1.1.0"), {}}});
  all_but.excluded.emplace_back(ip("10.0.1.0"), 24);
  CHECK(groups_of(all_but) == std::vector<Group>{{"in", ip("239.1.1.0"), {}}});
  all_but.excluded.clear();
  for (std::uint32_t i = 0; i <= limits::excluded_by_join; ++i)
    all_but.excluded.emplace_back(ip("10.0.0.0").plus(i));
  CHECK(groups_of(all_but) == std::vector<Group>{{"in", ip("239.1.1.0"), {}}});
  CHECK(groups_of(rule("b", ip("10.0.0.1"), 5000).inputs[0]).empty());
}
