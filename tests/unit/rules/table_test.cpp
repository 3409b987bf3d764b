#include "mcr/rules/table.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

TEST_CASE("what an output has sent is known by source address and port") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000), rule("b", ip("239.1.1.2"), 5000)};
  rules[1].allow_loop = true;
  auto fixed = rules[0].outputs[0];
  fixed.port = 6001;
  fixed.source_port = 7000;
  auto preserving = fixed;
  preserving.port = 6002;
  preserving.source = {Source::Mode::preserve, {}};
  rules[0].outputs.push_back(fixed);
  rules[0].outputs.push_back(preserving);
  SlotAllocators allocators;
  std::vector<RuleStatus> statuses;
  for (const auto& one : rules)
    statuses.push_back(rule_status(one, two_interfaces(), never_refused));
  const auto table = compile_table(rules, two_interfaces(), statuses, allocators, 1, 40000);
  CHECK(table.is_own({source, 40000}));
  CHECK(table.is_own({source, 7000}));
  CHECK_FALSE(table.is_own({source, 40064}));
  CHECK_FALSE(table.is_own({source, 40001}));
  CHECK_FALSE(table.is_own({ip("10.1.0.2"), 40000}));
  CHECK_FALSE(table.lookup(0, {ip("239.1.1.1"), 5000})[0].allow_loop);
  CHECK(table.lookup(0, {ip("239.1.1.2"), 5000})[0].allow_loop);
}

TEST_CASE("the lookup agrees with a naive scan") {
  std::mt19937 random(42);
  for (int round = 0; round < 30; ++round) {
    // Few values, so that neighbours, shared groups and shared ports are frequent.
    std::vector<Rule> rules;
    std::set<std::tuple<std::uint32_t, std::uint16_t, std::uint32_t>> used;
    const auto count = random() % 300;
    for (unsigned i = 0; i < count; ++i) {
      const auto group = 0xEF010100U + static_cast<std::uint32_t>(random() % 40);
      const auto port = static_cast<std::uint16_t>(5000 + random() % 4);
      const auto from = 0x0A000000U + static_cast<std::uint32_t>(random() % 3);
      if (!used.insert({group, port, from}).second) continue;
      std::vector<Prefix> sources;
      if (from != 0x0A000000U) sources.emplace_back(IpAddress::v4(from), 31 + random() % 2);
      if (from != 0x0A000000U && random() % 2 == 0)
        sources.emplace_back(IpAddress::v4(0x0A000010U), 28 + random() % 5);
      rules.push_back(rule("r" + std::to_string(i), IpAddress::v4(group), port, sources));
    }
    const auto result = compiled(rules, two_interfaces());
    for (std::uint32_t group = 0xEF010100U; group < 0xEF010100U + 42; ++group)
      for (std::uint16_t port = 4999; port < 5005; ++port)
        for (const std::uint32_t low : {0U, 1U, 2U, 3U, 0x0FU, 0x10U, 0x11U, 0x1FU, 0x20U}) {
          const std::uint32_t from = 0x0A000000U + low;
          const Endpoint destination{IpAddress::v4(group), port};
          std::multiset<std::uint32_t> expected;
          for (const auto& one : rules) {
            const auto& input = one.inputs[0];
            const bool allowed = input.sources.empty() ||
                                 std::ranges::any_of(input.sources, [&](const Prefix& block) {
                                   return block.contains(IpAddress::v4(from));
                                 });
            if (Endpoint{input.destination, input.port} == destination && allowed)
              expected.insert(*result.allocators.rules.find(one.name));
          }
          std::multiset<std::uint32_t> found;
          for (const auto& entry : result.table.lookup(0, destination))
            if (result.table.allows(entry, IpAddress::v4(from))) found.insert(entry.rule);
          CHECK(found == expected);
        }
    CHECK(result.table.lookup(1, {IpAddress::v4(0xEF010100U), 5000}).empty());
  }
}

TEST_CASE("an excluded source is denied, its neighbours are not") {
  std::vector<Rule> rules = {rule("all but", ip("239.1.1.1"), 5000),
                             rule("left out", ip("239.1.1.1"), 5000)};
  rules[0].inputs[0].excluded = {Prefix(ip("10.0.0.4"), 30), ip("10.1.0.0")};
  rules[1].inputs[0].sources = {Prefix(ip("10.0.0.4"), 31)};
  const auto result = compiled(rules, two_interfaces());
  const auto takers = [&](const char* from) {
    std::set<std::uint32_t> found;
    for (const auto& entry : result.table.lookup(0, {ip("239.1.1.1"), 5000}))
      if (result.table.allows(entry, ip(from))) found.insert(entry.rule);
    return found;
  };
  for (const auto* from : {"0.0.0.0", "10.0.0.3", "10.0.0.8", "10.1.0.1", "255.255.255.255"})
    CHECK(takers(from) == std::set<std::uint32_t>{0});
  for (const auto* from : {"10.0.0.4", "10.0.0.5"})
    CHECK(takers(from) == std::set<std::uint32_t>{1});
  for (const auto* from : {"10.0.0.6", "10.0.0.7", "10.1.0.0"})
    CHECK(takers(from).empty());
}

TEST_CASE("a table of the largest size compiles and finds every rule") {
  std::vector<Rule> rules;
  for (std::uint32_t i = 0; i < limits::rules; ++i)
    rules.push_back(rule("r" + std::to_string(i), IpAddress::v4(0xEF000000U + i * 7), 5000));
  const auto result = compiled(rules, two_interfaces());
  for (std::uint32_t i = 0; i < limits::rules; ++i)
    REQUIRE(result.table.lookup(0, {IpAddress::v4(0xEF000000U + i * 7), 5000}).size() == 1);
}
