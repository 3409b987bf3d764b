// Small rules and hosts for tests and benchmarks.
#pragma once

#include <net/if_arp.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/config/rule.hpp"
#include "mcr/rules/compiler.hpp"

namespace mcr {

inline Interface up(std::string name, unsigned index, std::vector<IpAddress> addresses = {}) {
  Interface interface;
  interface.name = std::move(name);
  interface.index = index;
  interface.up = true;
  interface.mtu = 1500;
  interface.type = ARPHRD_ETHER;
  interface.addresses = std::move(addresses);
  return interface;
}

inline const auto source = *IpAddress::parse("10.1.0.1");

inline Interfaces two_interfaces() {
  return Interfaces({up("in", 2), up("out", 3, {source})});
}

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

inline Rule rule(std::string name, IpAddress group, std::uint16_t port,
                 std::vector<Prefix> sources = {}) {
  std::ranges::sort(sources);
  Rule result;
  result.name = std::move(name);
  result.inputs = {{"in", group, port, std::move(sources)}};
  result.outputs = {{"out", ip("239.9.9.9"), 6000, Ttl::of(16)}};
  return result;
}

/// A rule with two inputs by priority, from e0 and e1.
inline Rule rule_of_two_inputs(std::string name) {
  Rule result;
  result.name = std::move(name);
  for (const auto* interface : {"e0", "e1"}) {
    Input input;
    input.interface = interface;
    input.destination = ip("239.1.1.1");
    input.port = 5;
    input.priority = static_cast<std::uint8_t>(result.inputs.size() + 1);
    result.inputs.push_back(input);
  }
  return result;
}

inline std::string never_refused(const Input&) {
  return {};
}

struct Compiled {
  SlotAllocators allocators;
  RuleTable table;
};

inline Compiled compiled(std::span<const Rule> rules, const Interfaces& interfaces) {
  std::vector<RuleStatus> statuses;
  for (const auto& one : rules)
    statuses.push_back(rule_status(one, interfaces, never_refused));
  Compiled result;
  result.table = compile_table(rules, interfaces, statuses, result.allocators, 1);
  return result;
}

}  // namespace mcr
