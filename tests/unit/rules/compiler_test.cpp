#include "mcr/rules/compiler.hpp"

#include <algorithm>
#include <set>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

TEST_CASE("a rule that is switched off waits for nothing, and keeps its counters") {
  auto one = rule("a", ip("239.1.1.1"), 5000);
  one.enabled = false;
  const auto status = rule_status(one, Interfaces(), never_refused);
  CHECK(status.state == RuleState::disabled);
  CHECK(status.reason.empty());
  std::vector<Rule> rules = {one};
  const auto result = compiled(rules, two_interfaces());
  CHECK(result.table.rx().empty());
  CHECK(result.table.tx().empty());
  CHECK(result.allocators.rules.find("a"));
  CHECK(result.allocators.outputs.entries().size() == 1);
}

TEST_CASE("a rule runs while one output can be used, and says what is amiss") {
  auto one = rule("a", ip("239.1.1.1"), 5000);
  one.outputs.push_back({"gone", ip("239.9.9.9"), 6000, Ttl::of(16)});
  const auto status = rule_status(one, two_interfaces(), never_refused);
  CHECK(status.state == RuleState::active);
  CHECK(status.reason == "in part: interface gone does not exist");

  std::vector<Rule> rules = {one};
  const auto result = compiled(rules, two_interfaces());
  const auto entries = result.table.lookup(0, {ip("239.1.1.1"), 5000});
  REQUIRE(entries.size() == 1);
  const auto outputs = result.table.outputs(entries[0]);
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].tx_slot != TableOutput::no_tx_slot);
  CHECK(outputs[1].tx_slot == TableOutput::no_tx_slot);
}

TEST_CASE("each kind of input has an rx slot of its own") {
  std::vector<Rule> rules = {
      rule("plain", ip("239.1.1.1"), 5000), rule("same", ip("239.1.1.2"), 5000),
      rule("vlan", ip("239.1.1.1"), 5000), rule("local", ip("239.1.1.1"), 5000)};
  rules[2].inputs[0].vlan = 100;
  rules[3].inputs[0].local = true;
  const auto result = compiled(rules, two_interfaces());
  REQUIRE(result.table.rx().size() == 3);
  std::set<std::uint32_t> found;
  for (const auto& rx : result.table.rx()) {
    const auto entries = result.table.lookup(rx.slot, {ip("239.1.1.1"), 5000});
    REQUIRE(entries.size() == 1);
    found.insert(entries[0].rule);
    CHECK(rx.destinations.size() == (rx.key.kind == InputKind{} ? 2 : 1));
  }
  CHECK(found.size() == 3);
}

TEST_CASE("an untagged input on a port of a bridge has a socket for all protocols") {
  std::vector<Rule> rules = {rule("plain", ip("239.1.1.1"), 5000),
                             rule("vlan", ip("239.1.1.1"), 5000),
                             rule("local", ip("239.1.1.1"), 5000)};
  rules[1].inputs[0].vlan = 100;
  rules[2].inputs[0].local = true;
  auto port = up("in", 2);
  port.master_kind = MasterKind::bridge;
  const auto result = compiled(rules, Interfaces({port, up("out", 3, {source})}));
  REQUIRE(result.table.rx().size() == 3);
  for (const auto& rx : result.table.rx())
    CHECK(rx.key.all_protocols == (rx.key.kind == InputKind{}));
}

TEST_CASE("an output carries what the kernel needs") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  const auto result = compiled(rules, two_interfaces());
  const auto& output = result.table.outputs(result.table.lookup(0, {ip("239.1.1.1"), 5000})[0])[0];
  CHECK(output.unfragmented == 1472);
  CHECK(output.segmentation);
  auto whole = rules;
  whole[0].outputs[0].segmentation = false;
  const auto single = compiled(whole, two_interfaces());
  CHECK_FALSE(
      single.table.outputs(single.table.lookup(0, {ip("239.1.1.1"), 5000})[0])[0].segmentation);
  CHECK(output.header.destination.endpoint() == Endpoint{ip("239.9.9.9"), 6000});
  CHECK(output.header.control_bytes != 0);
  auto shaped = up("out", 3, {source});
  shaped.shaped = true;
  auto plain = up("out", 3, {source});
  plain.segments = false;
  for (const auto& egress : {shaped, plain}) {
    const auto slow = compiled(rules, Interfaces({up("in", 2), egress}));
    const auto& table = slow.table;
    CHECK_FALSE(table.outputs(table.lookup(0, {ip("239.1.1.1"), 5000})[0])[0].segmentation);
  }
}

TEST_CASE("outputs share a socket unless their source port, loopback or source differ") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  auto& outputs = rules[0].outputs;
  for (int i = 0; i < 4; ++i)
    outputs.push_back(outputs[0]);
  outputs[1].source_port = 7000;
  outputs[2].loopback = true;
  outputs[3].source.mode = Source::Mode::preserve;
  for (std::uint16_t i = 1; i < 5; ++i)
    outputs[i].port = static_cast<std::uint16_t>(6000 + i);
  const auto result = compiled(rules, two_interfaces());
  REQUIRE(result.table.tx().size() == 4);
  CHECK(result.table.tx()[1].key.source_port == 7000);
  CHECK(result.table.tx()[2].key.loopback);
  CHECK(result.table.tx()[3].key.any_source);
}

TEST_CASE("an output that preserves the sender's port is raw, with tx slots by source port") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000), rule("b", ip("239.1.1.2"), 5000)};
  rules[1].outputs[0].port = 6001;
  auto& outputs = rules[0].outputs;
  outputs[0].source.mode = Source::Mode::preserve;
  outputs.push_back(outputs[0]);
  outputs[1].port = 6002;
  outputs[1].source_port = 7000;
  const auto interfaces = two_interfaces();
  std::vector<RuleStatus> statuses;
  for (const auto& one : rules)
    statuses.push_back(rule_status(one, interfaces, never_refused));
  SlotAllocators allocators;
  const TxKey sender{.interface_index = 3, .source_port = 4000, .any_source = true};
  auto same_as_fixed = sender;
  same_as_fixed.source_port = 7000;
  auto elsewhere = sender;
  elsewhere.interface_index = 9;
  const std::vector senders{sender, same_as_fixed, elsewhere};
  const auto table = compile_table(rules, interfaces, statuses, allocators, 1, 40000, senders);

  REQUIRE(table.tx().size() == 4);
  CHECK(table.tx()[0].key.raw);
  CHECK(table.tx()[0].key.source_port == 0);
  const auto sent = table.outputs(table.lookup(0, {ip("239.1.1.1"), 5000})[0]);
  CHECK(sent[0].raw);
  REQUIRE(sender_tx(sent[0], 4000) != nullptr);
  CHECK(sender_tx(sent[0], 4000)->tx_slot == *allocators.tx.find(sender));
  CHECK(sender_tx(sent[0], 7000)->tx_slot == sent[1].tx_slot);
  CHECK(sender_tx(sent[0], 4001) == nullptr);
  CHECK_FALSE(sent[1].raw);
  const auto plain = table.outputs(table.lookup(0, {ip("239.1.1.2"), 5000})[0]);
  CHECK_FALSE(plain[0].raw);
  CHECK(sender_tx(plain[0], 4000) == nullptr);
  CHECK_FALSE(table.is_own({ip("10.1.0.2"), 4000}));
}

TEST_CASE("senders find no tx slot of their own where all are taken") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  rules[0].outputs[0].source.mode = Source::Mode::preserve;
  const auto interfaces = two_interfaces();
  const std::vector statuses{rule_status(rules[0], interfaces, never_refused)};
  SlotAllocators allocators;
  std::vector<TxKey> senders;
  for (std::uint16_t port = 1; port <= slots::tx; ++port)
    senders.push_back({.interface_index = 3, .source_port = port, .any_source = true});
  const auto table = compile_table(rules, interfaces, statuses, allocators, 1, 40000, senders);
  CHECK(table.tx().size() == slots::tx);
  const auto& output = table.outputs(table.lookup(0, {ip("239.1.1.1"), 5000})[0])[0];
  CHECK(output.senders.size() == slots::tx - 1);
  CHECK(sender_tx(output, slots::tx) == nullptr);
}

TEST_CASE("an IPv6 output is sent from an address as wide as its destination") {
  auto one = rule("a", ip("ff15::1"), 5000);
  one.outputs = {{"out", ip("ff15::2"), 6000, Ttl::of(16)},
                 {"out", ip("ff02::2"), 6000, Ttl::of(16)},
                 {"out", ip("fe80::9"), 6000, {}},
                 {"out", ip("239.1.1.1"), 6000, Ttl::of(16)}};
  std::vector<Rule> rules = {one};
  const auto link = ip("fe80::1");
  const auto global = ip("2001:db8::1");
  const auto result =
      compiled(rules, Interfaces({up("in", 2), up("out", 3, {global, link, source})}));
  const auto outputs = result.table.outputs(result.table.lookup(0, {ip("ff15::1"), 5000})[0]);
  REQUIRE(outputs.size() == 4);
  const auto carries = [](const TableOutput& output, const IpAddress& address) {
    const auto bytes = std::as_bytes(address.bytes());
    const auto control = output.header.used_control();
    return std::search(control.begin(), control.end(), bytes.begin(), bytes.end()) != control.end();
  };
  CHECK(carries(outputs[0], global));
  CHECK(carries(outputs[1], link));
  CHECK(carries(outputs[2], link));
  CHECK(carries(outputs[3], source));
  CHECK(outputs[0].unfragmented == 1452);
  CHECK(outputs[3].unfragmented == 1472);
  CHECK(outputs[2].header.destination.v6.sin6_scope_id == 3);
  // A queue for each family, and for unicast.
  CHECK(result.table.tx().size() == 3);

  const auto without = [&](std::vector<IpAddress> addresses, IpAddress destination) {
    auto lone = one;
    lone.outputs = {{"out", destination, 6000, Ttl::of(16)}};
    return rule_status(lone, Interfaces({up("in", 2), up("out", 3, std::move(addresses))}),
                       never_refused)
        .reason.text;
  };
  CHECK(without({link}, ip("ff02::2")).empty());
  CHECK(without({link}, ip("ff15::2")).find("only a link-local IPv6 address") != std::string::npos);
  CHECK(without({source}, ip("ff15::2")).find("no usable IPv6 address") != std::string::npos);
}

TEST_CASE("one interface receives each family by a socket of its own") {
  std::vector<Rule> rules = {rule("four", ip("239.1.1.1"), 5000), rule("six", ip("ff15::1"), 5000)};
  const auto result = compiled(rules, two_interfaces());
  REQUIRE(result.table.rx().size() == 2);
  for (const auto& rx : result.table.rx()) {
    REQUIRE(rx.destinations.size() == 1);
    const auto& destination = rx.destinations[0];
    CHECK(rx.key.kind.family == destination.address.family());
    CHECK(result.table.lookup(rx.slot, destination).size() == 1);
    CHECK(result.table.lookup(1 - rx.slot, destination).empty());
  }
}

TEST_CASE("rules that do not run are not in the table but keep their counters") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  const auto result = compiled(rules, Interfaces({up("in", 2)}));
  CHECK(result.table.lookup(0, {ip("239.1.1.1"), 5000}).empty());
  CHECK(result.table.rx().empty());
  CHECK(result.allocators.rules.find("a"));
}

TEST_CASE("a rule's past is one for all of its inputs, and stays while the rule waits") {
  auto keeps = rule("keeps", ip("239.1.1.1"), 5000);
  keeps.capture_before = 8192;
  keeps.inputs.push_back(keeps.inputs.front());
  keeps.inputs.back().destination = ip("239.1.1.2");
  const auto other = rule("other", ip("239.1.1.3"), 5000);
  const std::vector<Rule> rules = {keeps, other};
  auto [allocators, table] = compiled(rules, two_interfaces());
  const auto slot = table.rx().front().slot;
  const auto& first = table.lookup(slot, {ip("239.1.1.1"), 5000}).front();
  const auto& second = table.lookup(slot, {ip("239.1.1.2"), 5000}).front();
  CHECK(table.lookup(slot, {ip("239.1.1.3"), 5000}).front().past == 0);
  REQUIRE(first.past != 0);
  CHECK(&table.past(first) == &table.past(second));
  CHECK(allocators.pasts.find("keeps").get() == &table.past(first));

  const Interfaces none({up("out", 3, {source})});
  const std::vector statuses{rule_status(keeps, none, never_refused),
                             rule_status(other, none, never_refused)};
  REQUIRE(statuses[0].state == RuleState::waiting);
  const auto* kept = &table.past(first);
  table = compile_table(rules, none, statuses, allocators, 2);
  CHECK(allocators.pasts.find("keeps").get() == kept);
}

TEST_CASE("blocks of groups and ranges of ports are laid out, each with its own destination") {
  auto one = rule("a", ip("239.1.0.0"), 5000);
  one.inputs[0].addresses = 4;
  one.inputs[0].ports = 3;
  one.outputs[0] = {"out", ip("239.9.0.0"), 6000, Ttl::of(16)};
  one.outputs[0].addresses = 4;
  one.outputs[0].limit = {100, 0};
  one.outputs.push_back({"out", ip("239.8.8.8"), 7000, Ttl::of(16)});
  one.outputs[1].ports = 3;
  one.outputs.push_back({"out", ip("239.7.7.7"), 8000, Ttl::of(16)});
  std::vector<Rule> rules = {one};
  const auto result = compiled(rules, two_interfaces());
  std::set<std::uint32_t> slots;
  std::set<std::uint32_t> limiters;
  for (std::uint32_t group = 0; group < 4; ++group)
    for (std::uint16_t port = 0; port < 3; ++port) {
      const auto entries = result.table.lookup(
          0, {ip("239.1.0.0").plus(group), static_cast<std::uint16_t>(5000 + port)});
      REQUIRE(entries.size() == 1);
      const auto outputs = result.table.outputs(entries[0]);
      REQUIRE(outputs.size() == 3);
      CHECK(outputs[0].header.destination.endpoint() ==
            Endpoint{ip("239.9.0.0").plus(group), 6000});
      CHECK(outputs[1].header.destination.endpoint() ==
            Endpoint{ip("239.8.8.8"), static_cast<std::uint16_t>(7000 + port)});
      CHECK(outputs[2].header.destination.endpoint() == Endpoint{ip("239.7.7.7"), 8000});
      for (const auto& output : outputs)
        slots.insert(output.slot);
      REQUIRE(outputs[0].limit != 0);
      limiters.insert(result.table.limit(outputs[0]).limiter);
    }
  CHECK(slots.size() == 4 + 3 + 1);
  CHECK(limiters.size() == 1);
  CHECK(result.table.lookup(0, {ip("239.1.0.4"), 5000}).empty());
  CHECK(result.table.lookup(0, {ip("239.1.0.0"), 5003}).empty());
  CHECK(result.table.rx().at(0).destinations.size() == 12);
}

TEST_CASE("slots stay with their rule across tables") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000), rule("b", ip("239.1.1.2"), 5000)};
  auto first = compiled(rules, two_interfaces());
  const auto slot = first.table.lookup(0, {ip("239.1.1.2"), 5000})[0].rule;
  rules.erase(rules.begin());
  const std::vector<RuleStatus> statuses{rule_status(rules[0], two_interfaces(), never_refused)};
  const auto next = compile_table(rules, two_interfaces(), statuses, first.allocators, 2);
  CHECK(next.lookup(0, {ip("239.1.1.2"), 5000})[0].rule == slot);
}

TEST_CASE("a broadcast input takes what is sent to all hosts, and to those of its subnets") {
  std::vector<Rule> rules = {rule("a", limited_broadcast, 9)};
  rules[0].circle.number = 4;
  auto in = up("in", 2);
  in.broadcasts = {ip("10.1.0.255"), ip("10.2.255.255")};
  const auto result = compiled(rules, Interfaces({in, up("out", 3, {source})}));
  for (const auto* address : {"255.255.255.255", "10.1.0.255", "10.2.255.255"}) {
    const auto entries = result.table.lookup(0, {ip(address), 9});
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].circle == 4);
  }
  CHECK(result.table.lookup(0, {ip("10.3.0.255"), 9}).empty());
  CHECK(result.table.rx().at(0).destinations.size() == 3);
}
