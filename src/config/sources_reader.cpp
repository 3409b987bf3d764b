// sources = ["10.0.0.5", "10.9.0.0/16", "!10.9.1.1"]: the hosts that are named, and those that are
// left out of them. Each of the two lists is disjoint, so a host has one answer.
#include <fmt/format.h>

#include <iterator>
#include <set>

#include "mcr/config/limits.hpp"
#include "raw_rule.hpp"
#include "reader.hpp"

namespace mcr {

namespace {

/// Finds the prefix in `known`, which are disjoint, that overlaps this one; else the end.
std::set<Prefix>::const_iterator overlapping(const std::set<Prefix>& known, const Prefix& prefix) {
  const auto next = known.lower_bound(prefix);
  if (next != known.end() && prefix.contains(next->first())) return next;
  if (next != known.begin() && std::prev(next)->contains(prefix.first())) return std::prev(next);
  return known.end();
}

/// Adds what the element says, unless it overlaps what was said before.
void add_block(std::set<Prefix>& known, const Value& element) {
  const auto block = element.hosts();
  if (!block) return;
  const auto other = overlapping(known, *block);
  if (other == known.end())
    known.insert(*block);
  else if (*other == *block)
    element.refuse(fmt::format("{} is named twice", block->str()));
  else
    element.refuse(fmt::format("{} and {} overlap", other->str(), block->str()));
}

/// Adds a diagnostic for each excluded block that is no part of a named one, if any is named.
void check_excluded(const std::set<Prefix>& named, const std::set<Prefix>& excluded,
                    const Value& value) {
  for (const auto& block : excluded) {
    if (block.bits() == 0) value.refuse(fmt::format("\"!{}\" leaves nobody", block.str()));
    const auto whole = overlapping(named, block);
    const bool is_part = whole != named.end() && whole->bits() < block.bits();
    if (named.empty() || is_part) continue;
    value.refuse(fmt::format("\"!{}\" is not part of one of the other sources", block.str()));
  }
}

}  // namespace

std::optional<RawSources> read_sources(const Value& value) {
  const auto* array = value.array("IP addresses");
  if (array == nullptr) return std::nullopt;
  if (array->empty()) value.refuse("is empty; leave it out to take any source");
  if (array->size() > limits::sources_per_input) {
    value.refuse(fmt::format("has {} sources, at most {} are allowed", array->size(),
                             limits::sources_per_input));
    return std::nullopt;
  }
  std::set<Prefix> named;
  std::set<Prefix> excluded;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    const auto* text = node.as_string();
    if (text == nullptr || !text->get().starts_with('!')) {
      add_block(named, element);
      continue;
    }
    const toml::value<std::string> rest(text->get().substr(1));
    add_block(excluded, Value(value.name(), rest, element.at(), value.diagnostics()));
  }
  check_excluded(named, excluded, value);
  return RawSources{{named.begin(), named.end()}, {excluded.begin(), excluded.end()}};
}

}  // namespace mcr
