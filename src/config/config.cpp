#include "mcr/config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "mcr/config/config_difference.hpp"

namespace mcr {

InterfaceTuning tuning_of(const InterfaceTunings& tunings, const std::string& interface) {
  const auto known = tunings.find(interface);
  return known == tunings.end() ? InterfaceTuning{} : known->second;
}

std::set<std::string> interfaces_of(std::span<const Rule> rules) {
  std::set<std::string> names;
  for (const auto& rule : rules) {
    for (const auto& input : rule.inputs)
      names.insert(input.interface);
    for (const auto& output : rule.outputs)
      names.insert(output.interface);
  }
  return names;
}

Destinations mapped_destinations(const Rule& rule) {
  Destinations result;
  for (const auto& output : rule.outputs) {
    result.addresses = std::max(result.addresses, output.addresses);
    result.ports = std::max(result.ports, output.ports);
  }
  return result;
}

std::string ConfigDifference::str() const {
  return fmt::format("+{} -{} ~{} ={}", added, removed, changed, unchanged);
}

ConfigDifference compare_configs(const Config& before, const Config& after) {
  std::unordered_map<std::string_view, const Rule*> old_rules;
  for (const auto& rule : before.rules)
    old_rules.emplace(rule.name, &rule);
  ConfigDifference difference;
  for (const auto& rule : after.rules) {
    const auto old_rule = old_rules.find(rule.name);
    if (old_rule == old_rules.end())
      ++difference.added;
    else if (*old_rule->second == rule)
      ++difference.unchanged;
    else
      ++difference.changed;
  }
  difference.removed = before.rules.size() - difference.changed - difference.unchanged;
  return difference;
}

}  // namespace mcr
