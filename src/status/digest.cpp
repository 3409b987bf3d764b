// Rules, and memberships that are not joined, are counted by what is to be told of them: a map from
// the text to a few names. So the page stays short, however many have one cause.
#include "mcr/status/digest.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "mcr/base/error.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/status/json.hpp"
#include "rule_view.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

constexpr std::size_t most_names = 3;    // of those that are alike
constexpr std::size_t most_groups = 30;  // what is left is one more

void add(RuleGroup& group, const Rule& rule) {
  ++group.rules;
  group.rate_pps += rule.rate_pps.value_or(0);
  group.rate_bps += rule.rate_bps.value_or(0);
  if (group.names.size() < most_names) group.names.push_back(rule.name);
}

/// The largest groups stay; the others of the same state become one.
void limit_groups(std::vector<RuleGroup>& groups) {
  if (groups.size() <= most_groups) return;
  std::map<std::optional<RuleState>, RuleGroup> rest;
  for (auto group = groups.begin() + most_groups; group != groups.end(); ++group) {
    auto& sum = rest[group->state];
    if (sum.rules == 0) sum = {group->state, "other reasons", group->attention, 0, group->names};
    sum.attention = sum.attention || group->attention;
    sum.rules += group->rules;
    sum.rate_pps += group->rate_pps;
    sum.rate_bps += group->rate_bps;
  }
  groups.resize(most_groups);
  for (auto& [state, group] : rest)
    groups.push_back(std::move(group));
}

/// "3 on eth7: waits for its interface: 239.1.1.1, 239.1.1.2 from 10.0.0.5, 239.1.1.3"
std::vector<std::string> membership_notes(const std::vector<Membership>& memberships) {
  struct Alike {
    std::vector<std::string> groups;  ///< the first few
    std::uint64_t all = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Alike> kinds;
  for (const auto& each : memberships) {
    const auto& [group, state, error] = each;
    if (!is_unjoined(each)) continue;
    auto& kind = kinds[{shown(group.interface), in_words(state), printable(error.text)}];
    if (++kind.all <= most_names)
      kind.groups.push_back(group.source ? fmt::format("{} from {}", group.group, group.source)
                                         : group.group.str());
  }
  std::vector<std::string> notes;
  for (const auto& [kind, alike] : kinds) {
    const auto& [interface, state, error] = kind;
    const auto groups = names_text(alike.groups, alike.all);
    const auto why = state + (error.empty() ? "" : ", " + error);
    notes.push_back(alike.all == 1 ? fmt::format("{} on {}: {}", groups, interface, why)
                                   : fmt::format("{} on {}: {}: {}", grouped(alike.all), interface,
                                                 why, groups));
  }
  if (notes.size() > most_listed_memberships) {
    const auto more = notes.size() - most_listed_memberships;
    notes.resize(most_listed_memberships);
    notes.push_back(fmt::format("and {} more reasons: mcr status --json", more));
  }
  return notes;
}

/// Nothing for "".
std::optional<RuleState> state_named(const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto known =
      std::ranges::find(rule_states, name, [](RuleState state) { return to_string(state); });
  if (known == rule_states.end())
    throw Failure(ExitCode::usage,
                  fmt::format("no rule can be in a state \"{}\"", printable(name)));
  return *known;
}

/// The rules, names of interfaces that none of them uses, and most memberships are left out.
void shorten(Status& status) {
  status.digest = digest_of(status);
  const auto in_use = names_in_use(status.rules);
  for (auto& interface : status.interfaces)
    std::erase_if(interface.alt_names, [&](const auto& name) { return !in_use.contains(name); });
  status.rules.clear();
  std::erase_if(status.memberships, [](const Membership& each) { return !is_unjoined(each); });
  if (status.memberships.size() > most_listed_memberships)
    status.memberships.resize(most_listed_memberships);
}

}  // namespace

Digest digest_of(const Status& status) {
  Digest digest;
  std::map<std::tuple<std::optional<RuleState>, std::string>, RuleGroup> groups;
  for (const auto& rule : status.rules) {
    const auto verdict = judge_rule(rule);
    digest.troubled += std::uint64_t{verdict.troubled};
    digest.silent += std::uint64_t{verdict.silent};
    digest.dropping += std::uint64_t{verdict.drops};
    auto& group = groups[{rule.state, verdict.kind}];
    if (group.rules == 0) group = {rule.state, verdict.kind, verdict.needs_attention(), 0, {}};
    add(group, rule);
  }
  for (auto& [key, group] : groups)
    digest.groups.push_back(std::move(group));
  std::ranges::stable_sort(digest.groups, {}, [](const RuleGroup& group) {
    return std::tuple(!group.attention, group.state == RuleState::active, ~group.rules);
  });
  limit_groups(digest.groups);
  digest.rules = status.rules.size();
  digest.memberships = status.memberships.size();
  digest.unjoined =
      static_cast<std::uint64_t>(std::ranges::count_if(status.memberships, is_unjoined));
  digest.membership_notes = membership_notes(status.memberships);
  return digest;
}

void select_rules(Status& status, const Selection& selection) {
  std::erase_if(status.rules, [&](const Rule& rule) {
    if (selection.state && rule.state != selection.state) return true;
    return !selection.pattern.empty() &&
           ::fnmatch(selection.pattern.c_str(), rule.name.c_str(), 0) != 0;
  });
}

nlohmann::json write_request(const StatusRequest& request) {
  nlohmann::json object{{"command", "status"}};
  if (request.selection.state) object["state"] = to_string(*request.selection.state);
  if (!request.selection.pattern.empty()) object["pattern"] = request.selection.pattern;
  if (request.brief) object["brief"] = true;
  return object;
}

std::string answer_request(Status status, const nlohmann::json& request) {
  const auto text = [&](const char* key) {
    const auto found = request.find(key);
    return found != request.end() && found->is_string() ? found->get<std::string>() : "";
  };
  select_rules(status, {state_named(text("state")), text("pattern")});
  const auto brief = request.find("brief");
  if (brief != request.end() && *brief == true && status.rules.size() > most_listed_rules)
    shorten(status);
  return to_text(status);
}

}  // namespace mcr::status
