// Rules by the thousand for the benchmarks, and the table that they compile to.
#pragma once

#include <cstddef>
#include <cstdint>
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

inline Config rules(std::size_t count) {
  Config config;
  for (std::size_t i = 0; i < count; ++i) {
    const auto where = destination(i);
    config.rules.push_back(rule("rule-" + std::to_string(i), where.address, where.port));
  }
  return config;
}

inline std::vector<RuleStatus> judged(const Config& config, const Interfaces& interfaces) {
  std::vector<RuleStatus> result;
  for (const auto& each : config.rules)
    result.push_back(rule_status(each, interfaces, never_refused));
  return result;
}

inline RuleTable table(std::size_t count) {
  return compiled(rules(count), two_interfaces()).table;
}

}  // namespace mcr::bench
