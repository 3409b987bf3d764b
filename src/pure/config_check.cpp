#include "config_check.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config_flow.hpp"
#include "config_loops.hpp"

namespace mcr {
namespace {

std::string flow_text(const Input& input) {
  return fmt::format("{} on {}", Endpoint{input.destination, input.port}, input.interface);
}

/// An input that is already there, so that a second one can name it.
struct Holder {
  const PlacedRule* rule = nullptr;
  Position at;
};

/// The inputs of one flow, by the sources they take.
struct Takers {
  Holder any;    ///< takes every source
  Holder first;  ///< some input of this flow
  struct Block {
    IpAddress last;
    Holder holder;
  };
  std::map<IpAddress, Block> by_source;  ///< disjoint blocks, by their first address
};

/// An input seen before that shares a source with this one, or none.
Holder overlapping(const Takers& takers, const Input& input) {
  if (takers.any.rule != nullptr) return takers.any;
  if (input.sources.empty()) return takers.first;
  for (const auto& source : input.sources) {
    const auto next = takers.by_source.upper_bound(source.last());
    if (next == takers.by_source.begin()) continue;
    const auto& [last, holder] = std::prev(next)->second;
    if (last >= source.first()) return holder;
  }
  return {};
}

void add_taker(Takers& takers, const Input& input, const Holder& holder) {
  if (takers.first.rule == nullptr) takers.first = holder;
  if (input.sources.empty() && takers.any.rule == nullptr) takers.any = holder;
  for (const auto& source : input.sources)
    takers.by_source.try_emplace(source.first(), Takers::Block{source.last(), holder});
}

/// Returns for each rule whether one of its inputs was refused.
std::vector<bool> check_inputs(std::span<const PlacedRule> rules, Mistakes& mistakes) {
  std::vector<bool> refused(rules.size());
  std::unordered_map<Flow, Takers, FlowHash> flows;
  std::size_t count = 0;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const PlacedRule& placed = rules[r];
    if (!placed.rule.enabled) continue;
    for (std::size_t i = 0; i < placed.rule.inputs.size(); ++i) {
      const Input& input = placed.rule.inputs[i];
      const Position at = placed.inputs_at[i];
      if (++count == limits::lookup_entries + 1)
        mistakes.add(at, fmt::format("more than {} inputs in all", limits::lookup_entries));
      Takers& takers = flows[Flow(input)];
      if (const Holder other = overlapping(takers, input); other.rule != nullptr) {
        refused[r] = true;
        mistakes.add(at, other.rule == &placed
                             ? fmt::format("the rule already takes {}, at {}", flow_text(input),
                                           mistakes.where(other.at))
                             : fmt::format("rule {} takes {} too, at {}; only rules with different "
                                           "sources can share an input",
                                           quoted(other.rule->rule.name), flow_text(input),
                                           mistakes.where(other.at)));
      } else
        add_taker(takers, input, {&placed, at});
    }
  }
  return refused;
}

/// Two rules without names that have one input are told so once, by check_inputs().
void check_names(std::span<const PlacedRule> rules, const std::vector<bool>& input_refused,
                 Mistakes& mistakes) {
  std::unordered_map<std::string_view, const PlacedRule*> names;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const PlacedRule& placed = rules[r];
    if (placed.rule.name.empty()) continue;
    const auto [first, is_new] = names.try_emplace(placed.rule.name, &placed);
    if (is_new || (!placed.named && input_refused[r])) continue;
    mistakes.add(placed.name_at,
                 fmt::format("a rule named {} is already at {}{}", quoted(placed.rule.name),
                             mistakes.where(first->second->name_at),
                             placed.named ? "" : "; give this one a `name`"));
  }
}

void check_outputs(const PlacedRule& placed, Mistakes& mistakes) {
  std::unordered_map<Flow, Position, FlowHash> inputs;
  std::unordered_map<Flow, Position, FlowHash> outputs;
  for (std::size_t i = 0; i < placed.rule.inputs.size(); ++i)
    inputs.try_emplace(Flow(placed.rule.inputs[i]), placed.inputs_at[i]);
  for (std::size_t o = 0; o < placed.rule.outputs.size(); ++o) {
    const Output& output = placed.rule.outputs[o];
    const Position at = placed.outputs_at[o];
    const auto text =
        fmt::format("{} on {}", Endpoint{output.destination, output.port}, output.interface);
    if (inputs.contains(Flow(output)))
      mistakes.add(at, fmt::format("the output is the rule's own input, {}: interface, group or "
                                   "port must differ",
                                   text));
    const auto [first, is_new] = outputs.try_emplace(Flow(output), at);
    if (!is_new)
      mistakes.add(at, fmt::format("the rule already has the output {}, at {}", text,
                                   mistakes.where(first->second)));
  }
}

void check_total(std::span<const PlacedRule> rules, Mistakes& mistakes) {
  std::size_t count = 0;
  for (const auto& placed : rules) {
    const std::size_t before = count;
    count += placed.rule.outputs.size();
    if (before > limits::outputs || count <= limits::outputs) continue;
    mistakes.add(placed.outputs_at[limits::outputs - before],
                 fmt::format("more than {} outputs in all", limits::outputs));
  }
}

}  // namespace

void check_rules(std::span<const PlacedRule> rules, Mistakes& mistakes) {
  const auto input_refused = check_inputs(rules, mistakes);
  check_names(rules, input_refused, mistakes);
  for (const auto& placed : rules)
    check_outputs(placed, mistakes);
  check_total(rules, mistakes);
  check_loops(rules, mistakes);
}

}  // namespace mcr
