#include "mcr/control/reload_plan.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mcr/config/limits.hpp"
#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

std::vector<Endpoint> both(const std::vector<Endpoint>& one, const std::vector<Endpoint>& other) {
  std::vector<Endpoint> all;
  std::ranges::set_union(one, other, std::back_inserter(all));
  return all;
}

/// Widens a filter that is too narrow for `wanted`. Narrows it afterwards if it is wider then, or
/// may be: a change that failed half-way has left it inexact.
void plan_filter(ReloadPlan& plan, const TableRx& wanted, const OpenSockets::Rx& now) {
  auto wide = both(now.passing, wanted.destinations);
  if (!now.exact || wide != wanted.destinations)
    plan.narrow.push_back({wanted.slot, wanted.destinations});
  if (wide != now.passing) plan.widen.push_back({wanted.slot, std::move(wide)});
}

std::vector<IpAddress> first_addresses(const std::vector<Prefix>& blocks) {
  std::vector<IpAddress> addresses;
  std::ranges::transform(blocks, std::back_inserter(addresses), &Prefix::first);
  return addresses;
}

}  // namespace

ReloadPlan plan_groups(const std::set<Group>& before, const std::set<Group>& after) {
  ReloadPlan plan;
  std::ranges::set_union(before, after, std::inserter(plan.join, plan.join.end()));
  plan.keep = after;
  return plan;
}

void plan_sockets(ReloadPlan& plan, const RuleTable& table, const OpenSockets& open) {
  plan.publish = table.generation();
  for (const auto& [slot, rx] : open.rx)
    plan.retire_rx.insert(slot);
  plan.retire_tx = open.tx;
  for (const auto& wanted : table.rx()) {
    plan.retire_rx.erase(wanted.slot);
    const auto now = open.rx.find(wanted.slot);
    if (now == open.rx.end()) plan.open_rx.push_back(wanted);
    plan_filter(plan, wanted, now == open.rx.end() ? OpenSockets::Rx{} : now->second);
  }
  for (const auto slot : plan.retire_rx)
    if (const auto& rx = open.rx.at(slot); !rx.exact || !rx.passing.empty())
      plan.narrow.push_back({slot, {}});
  for (const auto& wanted : table.tx())
    if (plan.retire_tx.erase(wanted.slot) == 0) plan.open_tx.push_back(wanted);
}

/// Single sources are joined one by one. A few single ones that are excluded are excluded from the
/// join. With blocks of sources any source is joined, and the rule table leaves out the others.
/// Nothing is joined for an address of this host, nor to see what this
/// host sends.
std::vector<Group> groups_of(const Input& input) {
  if (!input.destination.is_multicast() || input.local) return {};
  std::vector<IpAddress> sources{IpAddress()};
  std::vector<IpAddress> excluded;
  const bool few = input.excluded.size() <= limits::excluded_by_join;
  if (!input.sources.empty() && std::ranges::all_of(input.sources, &Prefix::is_single))
    sources = first_addresses(input.sources);
  else if (input.sources.empty() && few && std::ranges::all_of(input.excluded, &Prefix::is_single))
    excluded = first_addresses(input.excluded);
  std::vector<Group> groups;
  for (std::uint32_t n = 0; n < input.addresses; ++n)
    for (const auto& source : sources)
      groups.push_back({input.interface, input.destination.plus(n), source, excluded});
  return groups;
}

std::set<Group> wanted_groups(std::span<const Rule> rules, const InputChoice& joins) {
  std::set<Group> groups;
  for (const auto& rule : rules)
    for (const auto& input : rule.inputs)
      if (rule.enabled && joins(rule, input))
        std::ranges::move(groups_of(input), std::inserter(groups, groups.end()));
  return groups;
}

}  // namespace mcr
