// Rules by the thousand for the benchmarks, and the table that they compile to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rule_builder.hpp"

namespace mcr::bench {

/// The destination of rule `number`; scattered, as an operator's plan never is in memory order.
inline Endpoint destination(std::size_t number) {
  const auto scattered = static_cast<std::uint32_t>(number * 2654435761U) & 0xFFFFU;
  const auto group = 0xEF010000U + (static_cast<std::uint32_t>(number >> 16U) << 16U) + scattered;
  return {IpAddress::v4(group), 5000};
}

inline std::vector<Rule> rules(std::size_t count) {
  std::vector<Rule> result;
  for (std::size_t i = 0; i < count; ++i) {
    const auto where = destination(i);
    result.push_back(rule("rule-" + std::to_string(i), where.address, where.port));
  }
  return result;
}

inline std::vector<RuleStatus> judged(std::span<const Rule> rules, const Interfaces& interfaces) {
  std::vector<RuleStatus> result;
  for (const auto& each : rules)
    result.push_back(rule_status(each, interfaces, never_refused));
  return result;
}

inline RuleTable table(std::size_t count) {
  return compiled(rules(count), two_interfaces()).table;
}

}  // namespace mcr::bench
