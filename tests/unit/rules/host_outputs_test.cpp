#include "mcr/rules/host_outputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "catch.hpp"
#include "mcr/config/limits.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

Output to_host(std::string name, bool all = true) {
  Output output{"out", {}, 6000};
  output.host = {.name = std::move(name), .all = all};
  return output;
}

Rule rule_to(std::vector<Output> outputs) {
  auto made = rule("a", ip("239.1.1.1"), 5000);
  made.outputs = std::move(outputs);
  return made;
}

HostAddresses has(std::vector<const char*> addresses) {
  HostAddresses known;
  for (const auto* address : addresses)
    known.addresses.push_back(ip(address));
  return known;
}

using Texts = std::vector<std::string>;

/// The outputs of a rule as text; what cannot be sent to, with its reason.
Texts texts(const Rule& rule) {
  Texts all;
  for (const auto& output : rule.outputs)
    all.push_back(output.destination_str() +
                  (output.host.refusal.empty() ? "" : " " + output.host.refusal));
  return all;
}

Texts made(Rule rule, const HostBook& hosts, const Interfaces& interfaces = two_interfaces()) {
  std::vector<Rule> rules{std::move(rule)};
  put_addresses(rules, hosts, interfaces);
  return texts(rules.front());
}

Interfaces dual_stack() {
  return Interfaces({up("in", 2), up("out", 3, {source, ip("2001:db8::1")})});
}

}  // namespace

TEST_CASE("a host's output becomes one for each of its addresses, in their place") {
  const auto rule = rule_to({{"out", ip("239.9.9.9"), 6000}, to_host("pods"), to_host("none")});
  CHECK(made(rule, {{"pods", has({"10.1.0.2", "10.1.0.3"})}}) ==
        Texts{"239.9.9.9:6000", "10.1.0.2:6000", "10.1.0.3:6000",
              "none:6000 host 'none': its addresses are not known yet"});
}

TEST_CASE("outputs are made anew from those of before") {
  std::vector<Rule> rules{rule_to({to_host("pods"), {"out", ip("239.9.9.9"), 6000}})};
  const auto as_configured = rules;
  HostBook hosts{{"pods", has({"10.1.0.2", "10.1.0.3"})}};
  put_addresses(rules, hosts, two_interfaces());
  hosts["pods"] = has({"10.1.0.3", "10.1.0.4", "10.1.0.5"});
  put_addresses(rules, hosts, two_interfaces());
  CHECK(texts(rules[0]) ==
        Texts{"10.1.0.3:6000", "10.1.0.4:6000", "10.1.0.5:6000", "239.9.9.9:6000"});
  auto anew = as_configured;
  put_addresses(anew, hosts, two_interfaces());
  CHECK(anew == rules);
  hosts["pods"] = {{}, "Name or service not known"};
  put_addresses(rules, hosts, two_interfaces());
  CHECK(texts(rules[0]) ==
        Texts{"pods:6000 host 'pods': Name or service not known", "239.9.9.9:6000"});
}

TEST_CASE("one of a host's addresses is enough, and stays while it can") {
  std::vector<Rule> rules{rule_to({to_host("pods", false)})};
  const auto now = [&](std::vector<const char*> addresses) {
    put_addresses(rules, {{"pods", has(std::move(addresses))}}, two_interfaces());
    return texts(rules[0]);
  };
  CHECK(now({"10.1.0.5", "10.1.0.6"}) == Texts{"10.1.0.5:6000"});
  CHECK(now({"10.1.0.2", "10.1.0.5"}) == Texts{"10.1.0.5:6000"});
  CHECK(now({"10.1.0.2", "10.1.0.6"}) == Texts{"10.1.0.2:6000"});
  CHECK(now({"10.1.0.1", "10.1.0.6"}) == Texts{"10.1.0.6:6000"});
}

TEST_CASE("addresses that cannot be sent to are shown with the reason") {
  const auto wrong = [](const char* address) {
    return made(rule_to({to_host("x")}), {{"x", has({address})}}).at(0);
  };
  CHECK(wrong("239.1.1.1") == "239.1.1.1:6000 host 'x': 239.1.1.1 is a group");
  CHECK(wrong("10.1.0.1") == "10.1.0.1:6000 host 'x': 10.1.0.1 is an address of this host");
  CHECK(wrong("127.0.0.1") == "127.0.0.1:6000 host 'x': 127.0.0.1 is an address of this host");
  CHECK(wrong("255.255.255.255") ==
        "255.255.255.255:6000 host 'x': 255.255.255.255 is no address of a single host");
  CHECK(wrong("0.0.0.0") == "0.0.0.0:6000 host 'x': 0.0.0.0 is no address of a single host");
  CHECK(made(rule_to({to_host("x"), {"out", ip("10.1.0.2"), 6000}, to_host("y")}),
             {{"x", has({"10.1.0.2"})}, {"y", has({"10.1.0.3"})}}) ==
        Texts{"10.1.0.2:6000 host 'x': 10.1.0.2 is an output of the rule already", "10.1.0.2:6000",
              "10.1.0.3:6000"});
  CHECK(
      made(rule_to({to_host("x"), to_host("y")}),
           {{"x", has({"10.1.0.3"})}, {"y", has({"10.1.0.3"})}}) ==
      Texts{"10.1.0.3:6000", "10.1.0.3:6000 host 'y': 10.1.0.3 is an output of the rule already"});
}

TEST_CASE("a host must not be the rule's own input, unless loops are allowed") {
  auto looped = rule_to({to_host("x")});
  looped.inputs = {{"out", ip("10.1.0.9"), 6000, {}}};
  looped.inputs[0].local = true;
  const HostBook hosts{{"x", has({"10.1.0.9"})}};
  CHECK(made(looped, hosts) == Texts{"10.1.0.9:6000 host 'x': 10.1.0.9 is the rule's own input"});
  looped.allow_loop = true;
  CHECK(made(looped, hosts) == Texts{"10.1.0.9:6000"});
}

TEST_CASE(
    "addresses of a family that the interface does not have are left out, if there are others") {
  const HostBook both{{"x", has({"10.1.0.2", "2001:db8::2"})}};
  const HostBook six{{"x", has({"2001:db8::2"})}};
  CHECK(made(rule_to({to_host("x")}), both) == Texts{"10.1.0.2:6000"});
  CHECK(made(rule_to({to_host("x")}), both, dual_stack()) ==
        Texts{"10.1.0.2:6000", "[2001:db8::2]:6000"});
  CHECK(made(rule_to({to_host("x")}), six) == Texts{"[2001:db8::2]:6000"});
  std::vector<Rule> rules{rule_to({to_host("x")})};
  put_addresses(rules, six, two_interfaces());
  CHECK(rule_status(rules[0], two_interfaces(), never_refused).output_reasons[0] ==
        "interface out has no usable IPv6 address");
  auto only = to_host("x");
  only.host.family = Family::ipv6;
  CHECK(made(rule_to({only}), both, dual_stack()) == Texts{"[2001:db8::2]:6000"});
  only.host.family = Family::ipv4;
  CHECK(made(rule_to({only}), six, dual_stack()) ==
        Texts{"x:6000 host 'x': it has no IPv4 address, as `source` wants"});
}

TEST_CASE("no host makes more outputs than a rule may have") {
  HostBook hosts;
  for (const auto* name : {"x", "y"})
    for (std::uint32_t i = 0; i < limits::addresses_per_host; ++i)
      hosts[name].addresses.push_back(
          IpAddress::v4(0x0A'01'01'00U + i + (name[0] == 'y' ? 100 : 0)));
  const auto all = made(rule_to({to_host("x"), to_host("y")}), hosts);
  REQUIRE(all.size() == limits::outputs_per_rule);
  CHECK(all[62].starts_with("x:6000 host 'x': 2 of its addresses are left out"));
  CHECK(all[63].starts_with("y:6000 host 'y': 64 of its addresses are left out"));
}

TEST_CASE("hosts make no more outputs than there may be in all") {
  HostBook hosts;
  for (std::uint32_t i = 0; i < limits::addresses_per_host; ++i)
    hosts["x"].addresses.push_back(IpAddress::v4(0x0A'01'01'00U + i));
  std::vector<Rule> rules(2000, rule_to({to_host("x")}));
  put_addresses(rules, hosts, two_interfaces());
  std::size_t sum = 0;
  for (const auto& each : rules)
    sum += each.outputs.size();
  CHECK(sum == limits::outputs);
  CHECK(rules.front().outputs.size() == 64);
  CHECK(rules.back().outputs.size() == 1);
}

TEST_CASE("each address is compiled, and what has none waits") {
  std::vector<Rule> rules = {rule_to({to_host("x"), to_host("y")})};
  put_addresses(rules, {{"x", has({"10.1.0.2", "10.1.0.3"})}}, two_interfaces());
  const auto status = rule_status(rules[0], two_interfaces(), never_refused);
  CHECK(status.state == RuleState::active);
  CHECK(status.reason == "in part: host 'y': its addresses are not known yet");
  const auto made = compiled(rules, two_interfaces());
  const auto entry = made.table.lookup(0, {ip("239.1.1.1"), 5000}).front();
  const auto outputs = made.table.outputs(entry);
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].header.destination.endpoint() == Endpoint{ip("10.1.0.2"), 6000});
  CHECK(outputs[1].header.destination.endpoint() == Endpoint{ip("10.1.0.3"), 6000});
  CHECK(outputs[0].slot != outputs[1].slot);
  CHECK(outputs[2].tx_slot == TableOutput::no_tx_slot);

  rules[0].outputs.resize(1);
  rules[0].outputs[0].destination = {};
  put_addresses(rules, {}, two_interfaces());
  CHECK(rule_status(rules[0], two_interfaces(), never_refused).state == RuleState::waiting);
}
