// Two inputs compete if they have a match (InputMatch) and a source in common: the datagram would
// belong to two rules. For each match InputCheck keeps the inputs seen so far: one that takes any
// source, or disjoint ranges of sources, ordered, so that an overlap is found in logarithmic time.
//
// Totals are counted on the way, and the check stops at the first one above its limit. So the time
// is bounded whatever the files say: a block of 4,096 groups with 4,096 sources counts 16 million.
#include "check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "input_match.hpp"
#include "loops.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/socket_kind.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {
namespace {

std::string match_text(const Input& input) {
  auto text = fmt::format("{} on {}", input.destinations().str(), input.interface);
  if (input.vlan != 0) text += fmt::format(", VLAN {}", input.vlan);
  if (input.local) text += ", sent by this host";
  return text;
}

/// An input seen before, and its position, for a message about a second one like it.
struct Holder {
  const PlacedRule* rule = nullptr;
  Position at;
};

/// The inputs with one match, by the sources they take.
struct Takers {
  Holder any;    ///< takes every source
  Holder first;  ///< the first input with this match
  struct Block {
    IpAddress last;
    Holder holder;
  };
  std::map<IpAddress, Block> by_source;  ///< disjoint ranges, by their first address
};

/// An input seen before that shares a source with these ranges. Its rule is null if there is none.
Holder overlapping(const Takers& takers, std::span<const SourceRange> ranges) {
  if (takers.any.rule != nullptr) return takers.any;
  if (ranges.empty()) return takers.first;
  for (const auto& range : ranges) {
    const auto next = takers.by_source.upper_bound(range.last);
    if (next == takers.by_source.begin()) continue;
    const auto& [last, holder] = std::prev(next)->second;
    if (last >= range.first) return holder;
  }
  return {};
}

void add_taker(Takers& takers, std::span<const SourceRange> ranges, const Holder& holder) {
  if (takers.first.rule == nullptr) takers.first = holder;
  if (ranges.empty() && takers.any.rule == nullptr) takers.any = holder;
  for (const auto& range : ranges)
    takers.by_source.try_emplace(range.first, Takers::Block{range.last, holder});
}

class InputCheck {
 public:
  explicit InputCheck(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  [[nodiscard]] bool too_many() const {
    return inputs_ > limits::lookup_entries || sources_ > limits::sources;
  }

  /// Adds the inputs of a rule; false if one of them was refused.
  bool add(const PlacedRule& placed) {
    bool fine = true;
    for (std::size_t i = 0; i < placed.rule.inputs.size(); ++i)
      fine = add(placed.rule.inputs[i], {&placed, placed.inputs_at[i]}) && fine;
    return fine;
  }

 private:
  bool add(const Input& input, const Holder& holder) {
    const auto destinations = input.destinations();
    const auto ranges = source_ranges(input);
    count(inputs_, destinations.size(), limits::lookup_entries, "inputs", holder.at);
    count(sources_, destinations.size() * ranges.size(), limits::sources, "sources", holder.at);
    if (too_many()) return true;
    for (std::size_t n = 0; n < destinations.size(); ++n) {
      Takers& takers = matches_[InputMatch(input.interface, destinations.at(n), input.vlan)]
                               [input.local ? 1 : 0];
      if (const Holder other = overlapping(takers, ranges); other.rule != nullptr) {
        refuse(input, holder, other);
        return false;
      }
      add_taker(takers, ranges, holder);
    }
    return true;
  }

  void count(std::size_t& sum, std::size_t more, std::size_t most, std::string_view what,
             Position at) {
    const bool was_fine = sum <= most;
    sum += more;
    if (was_fine && sum > most)
      diagnostics_.add(at,
                       fmt::format("more than {} {} in all, each counted once for every group and "
                                   "port",
                                   most, what));
  }

  void refuse(const Input& input, const Holder& holder, const Holder& other) {
    const auto where = diagnostics_.where(other.at);
    diagnostics_.add(
        holder.at,
        other.rule == holder.rule
            ? fmt::format("the rule already takes {}, at {}", match_text(input), where)
            : fmt::format("rule {} takes {} too, at {}; only rules with different "
                          "sources can share an input",
                          quoted_excerpt(other.rule->rule.name), match_text(input), where));
  }

  Diagnostics& diagnostics_;
  std::unordered_map<InputMatch, std::array<Takers, 2>, InputMatchHash>
      matches_;  // for inputs that take what arrives, and for those with `local`
  std::size_t inputs_ = 0;
  std::size_t sources_ = 0;
};

/// Refuses names that exist twice. Two rules without names that share an input would have one
/// default name, too; InputCheck has refused them already.
void check_names(std::span<const PlacedRule> rules, const std::vector<bool>& input_refused,
                 Diagnostics& diagnostics) {
  std::unordered_map<std::string_view, const PlacedRule*> names;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const PlacedRule& placed = rules[r];
    if (placed.rule.name.empty()) continue;
    const auto [first, is_new] = names.try_emplace(placed.rule.name, &placed);
    if (is_new || (!placed.named && input_refused[r])) continue;
    diagnostics.add(placed.name_at, fmt::format("a rule named {} is already at {}{}",
                                                quoted_excerpt(placed.rule.name),
                                                diagnostics.where(first->second->name_at),
                                                placed.named ? "" : "; give this one a `name`"));
  }
}

template <typename A, typename B>
bool share_a_destination(const A& a, const B& b) {
  return a.interface == b.interface && a.destinations().overlaps(b.destinations());
}

void check_outputs(const PlacedRule& placed, Diagnostics& diagnostics) {
  const auto& outputs = placed.rule.outputs;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const Output& output = outputs[o];
    const Position at = placed.outputs_at[o];
    const auto text = [&] {
      return fmt::format("{} on {}", output.destination_str(), output.interface);
    };
    if (!placed.rule.allow_loop && std::ranges::any_of(placed.rule.inputs, [&](const auto& in) {
          return in.vlan == 0 && share_a_destination(in, output);
        }))
      diagnostics.add(at, fmt::format("the output is the rule's own input, {}: interface, group or "
                                      "port must differ",
                                      text()));
    const auto earlier = std::span(outputs).first(o);
    const auto first = std::ranges::find_if(earlier, [&](const Output& other) {
      return other.host.name == output.host.name && share_a_destination(other, output);
    });
    if (first != earlier.end())
      diagnostics.add(
          at,
          fmt::format("the rule already has the output {}, at {}", text(),
                      diagnostics.where(
                          placed.outputs_at[static_cast<std::size_t>(first - earlier.begin())])));
  }
}

/// False, after adding a diagnostic, if there are too many outputs.
bool check_total(std::span<const PlacedRule> rules, Diagnostics& diagnostics) {
  std::size_t count = 0;
  for (const auto& placed : rules) {
    const auto each = mapped_destinations(placed.rule).size();
    for (std::size_t o = 0; o < placed.rule.outputs.size(); ++o) {
      count += each;
      if (count <= limits::outputs) continue;
      diagnostics.add(
          placed.outputs_at[o],
          fmt::format("more than {} outputs in all, each counted once for every group and "
                      "port that its rule maps",
                      limits::outputs));
      return false;
    }
  }
  return true;
}

/// Limits the kinds of inputs and outputs, since each has sockets of its own (RxKey, TxKey).
void check_kinds(std::span<const PlacedRule> rules, Diagnostics& diagnostics) {
  const auto add = [&](auto& kinds, auto kind, std::size_t most, std::string_view what,
                       Position at) {
    if (kinds.size() > most || !kinds.insert(kind).second || kinds.size() <= most) return;
    diagnostics.add(at, fmt::format("more than {} kinds of {} in all", most, what));
  };
  std::set<std::pair<std::string_view, InputKind>> inputs;
  std::set<std::pair<std::string_view, TxKey>> outputs;
  for (const auto& placed : rules) {
    const auto& rule = placed.rule;
    if (!rule.enabled) continue;
    for (std::size_t i = 0; i < rule.inputs.size(); ++i)
      add(inputs, std::pair(std::string_view(rule.inputs[i].interface), kind_of(rule.inputs[i])),
          limits::input_kinds, "input (interface, family, vlan, local)", placed.inputs_at[i]);
    for (std::size_t o = 0; o < rule.outputs.size(); ++o)
      for (const auto& kind : kinds_of(rule.outputs[o]))
        add(outputs, std::pair(std::string_view(rule.outputs[o].interface), kind),
            limits::output_kinds,
            "output (interface, family, group or host, source_port, loopback, preserved source)",
            placed.outputs_at[o]);
  }
}

/// Each worker keeps that much.
void check_captured_before(std::span<const PlacedRule> rules, Diagnostics& diagnostics) {
  std::uint64_t sum = 0;
  for (const auto& placed : rules) {
    if (placed.rule.enabled) sum += placed.rule.capture_before;
    if (sum <= limits::captured_before) continue;
    diagnostics.add(placed.name_at, fmt::format("`capture_before` of all rules is more than {} GiB",
                                                limits::captured_before >> 30U));
    return;
  }
}

/// Each name is looked up again and again.
void check_hosts(std::span<const PlacedRule> rules, Diagnostics& diagnostics) {
  std::set<std::string_view> names;
  for (const auto& placed : rules)
    for (std::size_t o = 0; o < placed.rule.outputs.size(); ++o) {
      const auto& host = placed.rule.outputs[o].host;
      if (!placed.rule.enabled || !host || !names.insert(host.name).second ||
          names.size() <= limits::hosts)
        continue;
      diagnostics.add(placed.outputs_at[o],
                      fmt::format("more than {} different hosts in all", limits::hosts));
      return;
    }
}

/// Rules of a reflector are guarded also where its ways make no circle on this host: another one
/// may close it. So all of its rules for one group are of one circle, and circles that it joins are
/// one.
void guard_reflectors(std::span<PlacedRule> rules, std::uint32_t circles) {
  std::map<std::pair<std::string_view, IpAddress>, std::uint32_t> numbers;
  std::vector<std::uint32_t> joined_to(circles + 1);
  std::iota(joined_to.begin(), joined_to.end(), 0U);
  const auto number_of = [&](std::uint32_t circle) {
    while (circle < joined_to.size() && joined_to[circle] != circle)
      circle = joined_to[circle];
    return circle;
  };
  for (const bool known : {true, false})
    for (auto& [rule, name_at, named, inputs_at, outputs_at] : rules) {
      auto& circle = rule.circle.number;
      if (rule.reflector.empty() || (circle != 0) != known) continue;
      const auto [place, is_new] =
          numbers.try_emplace({rule.reflector, rule.inputs.front().destination},
                              known ? number_of(circle) : circles + 1);
      if (known)
        joined_to[number_of(circle)] = number_of(place->second);
      else
        circle = place->second;
      if (is_new && !known) ++circles;
    }
  for (auto& placed : rules)
    placed.rule.circle.number = number_of(placed.rule.circle.number);
}

/// A rule that only listens makes way for one that takes the same. If there are more inputs than
/// may be, that is told elsewhere.
void drop_needless_listeners(std::vector<PlacedRule>& rules) {
  const auto listens = [](const PlacedRule& placed) { return placed.rule.listens(); };
  if (std::ranges::none_of(rules, listens)) return;
  std::unordered_set<InputMatch, InputMatchHash> taken;
  const auto take = [&](const Input& input) {
    bool is_new = true;
    for (std::size_t n = 0;
         n < input.destinations().size() && taken.size() <= limits::lookup_entries; ++n)
      is_new =
          taken.emplace(input.interface, input.destinations().at(n), input.vlan).second && is_new;
    return is_new;
  };
  for (const auto& placed : rules)
    if (placed.rule.enabled && !listens(placed))
      for (const auto& input : placed.rule.inputs)
        take(input);
  std::unordered_set<std::string> needless;
  for (const auto& placed : rules)
    if (listens(placed) && !take(placed.rule.inputs.front())) needless.insert(placed.rule.name);
  std::erase_if(rules, [&](const PlacedRule& placed) {
    return listens(placed) && needless.contains(placed.rule.name);
  });
}

}  // namespace

void check_rules(std::vector<PlacedRule>& rules, Diagnostics& diagnostics) {
  drop_needless_listeners(rules);
  std::vector<bool> input_refused(rules.size());
  InputCheck inputs(diagnostics);
  for (std::size_t r = 0; r < rules.size(); ++r)
    input_refused[r] = rules[r].rule.enabled && !inputs.add(rules[r]);
  check_names(rules, input_refused, diagnostics);
  for (const auto& placed : rules)
    check_outputs(placed, diagnostics);
  check_kinds(rules, diagnostics);
  check_hosts(rules, diagnostics);
  check_captured_before(rules, diagnostics);
  if (check_total(rules, diagnostics) && !inputs.too_many()) number_circles(rules);
}

void number_circles(std::vector<PlacedRule>& rules) {
  drop_needless_listeners(rules);
  guard_reflectors(rules, find_circles(rules));
}

}  // namespace mcr
