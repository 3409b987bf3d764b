// A change of a few rules is checked as if it were made already: the index exchanges the rules,
// finds what belongs together, and exchanges them back. So there is one way to find related rules,
// and check_rules() stays the only judge.
#include "rule_index.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "check.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {

namespace {

/// If more than this many rules are new, it is cheaper to check all.
constexpr std::size_t few = 32;

/// Adds 1 to the count of a kind, or takes it away.
template <typename Kinds, typename Kind>
void count_kind(Kinds& kinds, Kind kind, bool more) {
  if (more) {
    ++kinds[std::move(kind)];
    return;
  }
  const auto place = kinds.find(kind);
  if (--place->second == 0) kinds.erase(place);
}

}  // namespace

bool IndexedRule::before(const IndexedRule& other) const {
  const auto key = [](const IndexedRule& rule) {
    return std::tie(rule.rank, rule.file, rule.placed.name_at.line, rule.placed.name_at.column);
  };
  return key(*this) < key(other);
}

template <typename Visit>
void RuleIndex::each_match(const IndexedRule& rule, Visit visit) const {
  if (!rule.placed.rule.enabled) return;
  for (const auto& input : rule.placed.rule.inputs)
    for (std::size_t n = 0; n < input.destinations().size(); ++n)
      visit(InputMatch(input.interface, input.destinations().at(n), input.vlan));
}

void RuleIndex::add(IndexedRule rule) {
  auto owned = std::make_unique<IndexedRule>(std::move(rule));
  const auto* const added = owned.get();
  rules_.emplace(added->placed.rule.name, std::move(owned));
  count(added->placed.rule, true);
  each_match(*added, [&](const InputMatch& match) { matches_.emplace(match, added); });
}

IndexedRule RuleIndex::take(std::string_view name) {
  const auto place = rules_.find(name);
  const auto& rule = *place->second;
  each_match(rule, [&](const InputMatch& match) {
    const auto [begin, end] = matches_.equal_range(match);
    const auto mine = std::find_if(begin, end, [&](const auto& e) { return e.second == &rule; });
    if (mine != end) matches_.erase(mine);
  });
  count(rule.placed.rule, false);
  const auto taken = std::move(place->second);  // outlives its name as a key
  rules_.erase(place);
  return std::move(*taken);
}

const IndexedRule* RuleIndex::find(std::string_view name) const {
  const auto place = rules_.find(name);
  return place == rules_.end() ? nullptr : place->second.get();
}

RuleIndex::Rules RuleIndex::sorted() const {
  Rules all;
  all.reserve(rules_.size());
  for (const auto& [name, rule] : rules_)
    all.push_back(rule.get());
  std::ranges::sort(all, [](const auto* a, const auto* b) { return a->before(*b); });
  return all;
}

/// Counts what check_rules() counts.
void RuleIndex::count(const Rule& rule, bool more) {
  const auto add = [more](std::size_t& sum, std::size_t part) {
    sum = more ? sum + part : sum - part;
  };
  add(sums_.outputs, mapped_destinations(rule).size() * rule.outputs.size());
  if (!rule.enabled) return;
  add(sums_.captured_before, rule.capture_before);
  for (const auto& input : rule.inputs) {
    const auto size = input.destinations().size();
    add(sums_.inputs, size);
    add(sums_.sources, size * source_ranges(input).size());
    count_kind(sums_.input_kinds, std::pair(input.interface, kind_of(input)), more);
  }
  for (const auto& output : rule.outputs) {
    for (const auto& kind : kinds_of(output))
      count_kind(sums_.output_kinds, std::pair(output.interface, kind), more);
    if (output.host) count_kind(sums_.hosts, output.host.name, more);
  }
}

bool RuleIndex::may_be_too_many() const {
  return rules_.size() > limits::rules || sums_.inputs > limits::lookup_entries ||
         sums_.sources > limits::sources || sums_.outputs > limits::outputs ||
         sums_.input_kinds.size() > limits::input_kinds ||
         sums_.output_kinds.size() > limits::output_kinds || sums_.hosts.size() > limits::hosts ||
         sums_.captured_before > limits::captured_before;
}

/// The rule itself is among them.
RuleIndex::Rules RuleIndex::related_to(const IndexedRule& rule) const {
  std::set<const IndexedRule*> known{&rule};
  Rules related{&rule};
  each_match(rule, [&](const InputMatch& match) {
    const auto [begin, end] = matches_.equal_range(match);
    for (auto entry = begin; entry != end; ++entry)
      if (known.insert(entry->second).second) related.push_back(entry->second);
  });
  return related;
}

RuleIndex::Rules RuleIndex::all_with(const std::vector<IndexedRule>& fresh,
                                     const std::set<std::string, std::less<>>& without) const {
  Rules all;
  all.reserve(rules_.size() + fresh.size());
  for (const auto& [name, rule] : rules_)
    if (!without.contains(name)) all.push_back(rule.get());
  for (const auto& rule : fresh)
    all.push_back(&rule);
  return all;
}

std::vector<ConfigError> RuleIndex::check(const std::vector<IndexedRule>& fresh,
                                          const std::set<std::string, std::less<>>& without) {
  if (fresh.size() > few) return check_indexed(all_with(fresh, without));
  std::vector<IndexedRule> before;
  const auto exchange = [this](const std::vector<IndexedRule>& rules, const auto& names) {
    for (const auto& name : names)
      if (find(name) != nullptr) take(name);
    for (const auto& rule : rules)
      add(rule);
  };
  for (const auto& name : without)
    if (const auto* rule = find(name)) before.push_back(*rule);
  std::set<std::string, std::less<>> names;
  for (const auto& rule : fresh)
    names.insert(rule.placed.rule.name);
  exchange(fresh, without);

  std::vector<ConfigError> errors;
  if (may_be_too_many())
    errors = check_indexed(sorted());
  else
    for (const auto& name : names)
      for (auto& error : check_indexed(related_to(*find(name))))
        if (std::ranges::find(errors, error) == errors.end()) errors.push_back(std::move(error));

  exchange(before, names);
  return errors;
}

std::vector<ConfigError> check_indexed(std::vector<const IndexedRule*> rules) {
  std::ranges::sort(rules, [](const auto* a, const auto* b) { return a->before(*b); });
  Diagnostics diagnostics;
  std::vector<PlacedRule> placed;
  placed.reserve(rules.size());
  std::string_view last;
  Position file{};
  for (const auto* rule : rules) {
    if (placed.empty() || rule->file != last) file = diagnostics.add_file(rule->file);
    last = rule->file;
    auto& copy = placed.emplace_back(rule->placed);
    copy.name_at.file = file.file;
    for (auto* list : {&copy.inputs_at, &copy.outputs_at})
      for (auto& at : *list)
        at.file = file.file;
  }
  check_rules(placed, diagnostics);
  return std::move(diagnostics).sorted();
}

}  // namespace mcr
