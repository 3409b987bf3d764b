// Material for the benchmarks: interfaces, rules, and a compiled table, made by numbers.
#pragma once

#include <net/if_arp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mcr/config/config.hpp"
#include "mcr/rules/compiler.hpp"

namespace mcr::bench {

inline Interface interface(std::string name, unsigned index, std::vector<IpAddress> addresses) {
  Interface result;
  result.name = std::move(name);
  result.index = index;
  result.up = true;
  result.mtu = 1500;
  result.type = ARPHRD_ETHER;
  result.addresses = std::move(addresses);
  return result;
}

inline Interfaces two_interfaces() {
  return Interfaces({interface("in", 2, {}), interface("out", 3, {*IpAddress::parse("10.2.0.1")})});
}

/// The destination of rule `number`; scattered, as an operator's plan never is in memory order.
inline Endpoint destination(std::size_t number) {
  const auto scattered = static_cast<std::uint32_t>(number * 2654435761U) & 0xFFFFU;
  const auto group = 0xEF010000U + (static_cast<std::uint32_t>(number >> 16U) << 16U) + scattered;
  return {IpAddress::v4(group), 5000};
}

inline Config rules(std::size_t count) {
  Config config;
  for (std::size_t i = 0; i < count; ++i) {
    const auto where = destination(i);
    Rule rule;
    rule.name = "rule-" + std::to_string(i);
    rule.inputs.push_back({"in", where.address, where.port, {}});
    rule.outputs.push_back({"out", *IpAddress::parse("239.9.9.9"), 6000, Ttl::of(16)});
    config.rules.push_back(std::move(rule));
  }
  return config;
}

inline std::vector<RuleStatus> judged(const Config& config, const Interfaces& interfaces) {
  std::vector<RuleStatus> result;
  for (const auto& rule : config.rules)
    result.push_back(rule_status(rule, interfaces, [](const Input&) { return Reason(); }));
  return result;
}

inline RuleTable table(std::size_t count) {
  const auto config = rules(count);
  const auto interfaces = two_interfaces();
  SlotAllocators allocators;
  return compile_table(config, interfaces, judged(config, interfaces), allocators, 1);
}

}  // namespace mcr::bench
