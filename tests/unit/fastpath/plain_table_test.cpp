#include "mcr/fastpath/plain_table.hpp"

#include <algorithm>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using namespace mcr::fastpath;

namespace {

Interface ethernet(std::string name, unsigned index, std::vector<IpAddress> addresses = {}) {
  auto interface = up(std::move(name), index, std::move(addresses));
  interface.link_address = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(index)};
  return interface;
}

Interfaces host() {
  return Interfaces({ethernet("in", 2), ethernet("out", 3, {source})});
}

/// The host's table with the numbers that the worker's table gives, and source port 7777.
PlainTable plain(const std::vector<Rule>& rules, const Refusals& refusals = {}) {
  std::vector<RuleStatus> statuses;
  for (const auto& one : rules)
    statuses.push_back(rule_status(one, host(), never_refused));
  SlotAllocators slots;
  (void)compile_table(rules, host(), statuses, slots, 1, 7777);  // allots the slots
  return compile_plain_table(rules, host(), statuses, slots, 7777, refusals);
}

/// As relay.bpf.c looks it up; null: it leaves the frame alone.
const mcr_bucket* find(const PlainTable& table, unsigned interface, const char* group,
                       std::uint16_t port) {
  if (table.cells.empty()) return nullptr;
  const auto& head = table.cells[0].head;
  std::uint32_t address[4] = {};
  const auto wanted = ip(group);
  std::ranges::copy(wanted.bytes(), reinterpret_cast<std::uint8_t*>(address));
  const auto hash = mcr_hash(address, htons(port), interface);
  for (std::uint32_t i = 0; i < MCR_MOST_PROBES; ++i) {
    const auto& cell = table.cells[head.first_bucket + ((hash + i) & (head.buckets - 1))].bucket;
    if (cell.family == 0) return nullptr;
    if (cell.interface == interface && cell.port == htons(port) &&
        std::ranges::equal(cell.address, address))
      return &cell;
  }
  return nullptr;
}

std::string text_of(const std::uint32_t (&address)[4]) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(address);
  return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4)).str();
}

}  // namespace

TEST_CASE("a plain rule: one destination, its entry and its output") {
  const auto table = plain({rule("a", ip("239.1.1.1"), 5000)});
  CHECK(table.paths == std::vector<RulePath>{{true, ""}});
  CHECK(table.interfaces == std::set<unsigned>{2});
  CHECK(find(table, 2, "239.1.1.2", 5000) == nullptr);
  CHECK(find(table, 2, "239.1.1.1", 5001) == nullptr);
  CHECK(find(table, 3, "239.1.1.1", 5000) == nullptr);
  const auto* found = find(table, 2, "239.1.1.1", 5000);
  REQUIRE(found != nullptr);
  CHECK(found->family == MCR_IPV4);
  CHECK(found->most_payload == 1472);
  CHECK(found->consume == MCR_PASS_IF_HEARD);
  REQUIRE(found->steps == 2);
  const auto& entry = table.cells[found->first_step].step;
  CHECK(entry.kind == MCR_ENTRY);
  CHECK(entry.entry.sources == 0);
  const auto& output = table.cells[found->first_step + 1].step;
  CHECK(output.kind == MCR_OUTPUT);
  CHECK(output.ttl_mode == MCR_TTL_FIXED);
  CHECK(output.output.ttl == 16);
  CHECK(output.output.interface == 3);
  CHECK(text_of(output.output.destination) == "239.9.9.9");
  CHECK(text_of(output.output.source) == "10.1.0.1");
  CHECK(output.output.destination_port == htons(6000));
  CHECK(output.output.source_port == htons(7777));
  CHECK(output.output.link_source[5] == 3);
}

TEST_CASE("a rule that the kernel cannot take blocks its destinations for others") {
  auto limited = rule("limited", ip("239.1.1.1"), 5000);
  limited.outputs[0].limit.pps = 10;
  auto block = rule("block", ip("239.1.1.0"), 5000);
  block.inputs[0].addresses = 4;
  const auto table = plain({limited, block, rule("other", ip("239.1.1.1"), 5000)});
  CHECK(find(table, 2, "239.1.1.1", 5000) == nullptr);
  CHECK(find(table, 2, "239.1.1.0", 5000) != nullptr);
  CHECK(find(table, 2, "239.1.1.3", 5000) != nullptr);
  CHECK(table.paths ==
        std::vector<RulePath>{{false, "output 239.9.9.9:6000 has a rate limit"},
                              {true, "in part: rule limited needs the worker for 239.1.1.1:5000"},
                              {false, "rule limited needs the worker for 239.1.1.1:5000"}});
}

TEST_CASE("rules that share a destination stand side by side; the host's share is the greatest") {
  auto first = rule("first", ip("239.1.1.1"), 5000, {*Prefix::parse("10.0.0.0/8")});
  auto second = rule("second", ip("239.1.1.1"), 5000);
  second.consume = Consume::yes;
  const auto both = plain({first, second});
  const auto* found = find(both, 2, "239.1.1.1", 5000);
  REQUIRE(found != nullptr);
  CHECK(found->steps == 4);
  CHECK(found->consume == MCR_PASS_IF_HEARD);
  const auto& entry = both.cells[found->first_step].step.entry;
  REQUIRE(entry.sources == 1);
  CHECK(text_of(both.cells[entry.first_source].sources.first) == "10.0.0.0");
  CHECK(text_of(both.cells[entry.first_source].sources.last) == "10.255.255.255");

  first.consume = Consume::yes;
  CHECK(find(plain({first, second}), 2, "239.1.1.1", 5000)->consume == MCR_CONSUME);
  first.consume = Consume::no;
  CHECK(find(plain({first, second}), 2, "239.1.1.1", 5000)->consume == MCR_PASS_ON);
}

TEST_CASE("what cannot run is not in the table, and a missing output only counts") {
  auto down = rule("down", ip("239.1.1.1"), 5000);
  down.outputs.push_back({"gone", ip("239.9.9.8"), 6000, Ttl::of(16)});
  const auto table = plain({down});
  const auto* found = find(table, 2, "239.1.1.1", 5000);
  REQUIRE(found != nullptr);
  CHECK(found->steps == 3);
  CHECK(table.cells[found->first_step + 2].step.output.interface == 0);
  CHECK(found->most_payload == 1472);

  auto disabled = rule("disabled", ip("239.1.1.1"), 5000);
  disabled.enabled = false;
  CHECK(plain({disabled}).cells.empty());

  const auto refused = plain({rule("a", ip("239.1.1.1"), 5000)}, {{2, "no room"}});
  CHECK(refused.cells.empty());
  CHECK(refused.paths == std::vector<RulePath>{{false, "no room"}});
}

TEST_CASE("every destination of a large table is found, with a bounded search") {
  std::vector<Rule> rules;
  for (unsigned i = 0; i < 16; ++i) {
    rules.push_back(rule("r" + std::to_string(i), ip("239.0.0.0").plus(i << 12U), 5000));
    rules.back().inputs[0].addresses = 4096;
  }
  const auto table = plain(rules);
  CHECK(table.cells.size() < PlainTable::most_cells);
  for (unsigned i = 0; i < 16 * 4096; i += 7)
    REQUIRE(find(table, 2, ip("239.0.0.0").plus(i).str().c_str(), 5000) != nullptr);
}

TEST_CASE("own endpoints are those of all outputs but of preserved senders") {
  auto preserving = rule("p", ip("239.1.1.1"), 5000);
  preserving.outputs[0].source.mode = Source::Mode::preserve;
  auto unicast = rule("u", ip("239.1.1.2"), 5000);
  unicast.outputs[0].destination = ip("10.9.9.9");
  const auto table = plain({preserving, unicast});
  const auto& head = table.cells[0].head;
  unsigned found = 0;
  for (std::uint32_t i = 0; i < head.owns; ++i) {
    const auto& own = table.cells[head.first_own + i].own;
    if (own.family == 0) continue;
    ++found;
    CHECK(text_of(own.address) == "10.1.0.1");
    CHECK(own.port == htons(7777));
  }
  CHECK(found == 1);
  const auto* bucket = find(table, 2, "239.1.1.1", 5000);
  REQUIRE(bucket != nullptr);
  CHECK(table.cells[bucket->first_step + 1].step.source_preserved == 1);
  CHECK(table.cells[bucket->first_step + 1].step.output.source_port == 0);
}
