// The graph has two kinds of nodes: rules, and the matches (InputMatch) of their inputs. An edge
// leads from a rule to the match of each of its outputs, and from a match to each rule that has it
// as an input. So the graph is as large as the configuration, however many rules share a match.
//
// An output with a `source` of its own feeds only the rule that takes that source: at most one,
// since rules that share a match have disjoint sources. Its edge leads to that rule.
//
// A depth-first search keeps its path. An edge back into the path closes a circle. The path is a
// vector and not the call stack, because a chain may have 10,000 rules.
//
// An output that is its own rule's input makes no edge: check.cpp refuses it. The outputs of a rule
// with `allow_loop` make none either.
#include "loops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <vector>

#include "input_match.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {
namespace {

using Node = std::uint32_t;
constexpr std::size_t most_names = 20;  // in the message about a circle

class LoopSearch {
 public:
  LoopSearch(std::span<const PlacedRule> rules, Diagnostics& diagnostics)
      : rules_(rules), diagnostics_(diagnostics) {
    add_matches();
    for (auto& takers : takers_)
      std::ranges::sort(takers.by_source, {}, first_source);
    add_outputs();
    state_.resize(edges_.size());
    reported_.resize(rules.size());
  }

  void run() {
    for (Node node = 0; node < rules_.size(); ++node)
      if (state_[node] == State::fresh) search(node);
  }

 private:
  enum class State : std::uint8_t { fresh, on_path, done };
  struct Edge {
    Node to;
    std::uint32_t output;  ///< index among the outputs of the rule that the edge leaves
  };
  /// A rule that takes these sources of a match.
  struct Taker {
    SourceRange sources;
    Node rule;
  };
  struct Takers {
    bool any = false;  ///< a rule takes every source, or what this host sends, beside the others
    std::vector<Taker> by_source;
  };
  static IpAddress first_source(const Taker& taker) { return taker.sources.first; }

  struct Step {
    Node node;
    std::size_t next_edge;
  };

  void add_matches() {
    edges_.resize(rules_.size());
    for (Node r = 0; r < rules_.size(); ++r) {
      if (!rules_[r].rule.enabled) continue;
      for (const auto& input : rules_[r].rule.inputs)
        for (std::size_t n = 0; n < input.destinations().size(); ++n)
          add_taker(node_of(input, n), r, input);
    }
  }

  void add_taker(Node match, Node rule, const Input& input) {
    edges_[match].push_back({rule, 0});
    takers_.resize(edges_.size());
    auto& takers = takers_[match];
    const auto ranges = source_ranges(input);
    takers.any = takers.any || ranges.empty() || input.local;
    for (const auto& range : ranges)
      takers.by_source.push_back({range, rule});
  }

  /// The node of the input's n-th destination, which is made if it is new.
  Node node_of(const Input& input, std::size_t n) {
    const auto fresh = static_cast<Node>(edges_.size());
    const InputMatch match(input.interface, input.destinations().at(n), input.vlan);
    const auto [place, is_new] = matches_.try_emplace(match, fresh);
    if (is_new) edges_.emplace_back();
    return place->second;
  }

  void add_outputs() {
    for (Node r = 0; r < rules_.size(); ++r)
      for (std::uint32_t o = 0; o < rules_[r].rule.outputs.size(); ++o)
        add_output(r, o);
  }

  void add_output(Node r, std::uint32_t o) {
    const Rule& rule = rules_[r].rule;
    if (rule.allow_loop) return;
    const Output& output = rule.outputs[o];
    const auto to = output.destinations();
    const bool own = std::ranges::any_of(rule.inputs, [&](const Input& input) {
      return input.interface == output.interface && input.vlan == 0 &&
             input.destinations().overlaps(to);
    });
    if (own) return;
    for (std::size_t n = 0; n < to.size(); ++n)
      if (const auto match = matches_.find(InputMatch(output.interface, to.at(n)));
          match != matches_.end())
        if (const auto next = fed_by(output, match->second)) edges_[r].push_back({*next, o});
  }

  /// The match, or the one rule of it that takes the output's own source; nothing if none does.
  [[nodiscard]] std::optional<Node> fed_by(const Output& output, Node match) const {
    const auto& [any, takers] = takers_[match];
    if (output.source.mode != Source::Mode::address || any) return match;
    const auto& address = output.source.address;
    const auto next = std::ranges::upper_bound(takers, address, {}, first_source);
    if (next == takers.begin() || std::prev(next)->sources.last < address) return std::nullopt;
    return std::prev(next)->rule;
  }

  void search(Node root) {
    enter(root);
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next_edge == edges_[step.node].size()) {
        state_[step.node] = State::done;
        path_.pop_back();
        continue;
      }
      const Node next = edges_[step.node][step.next_edge++].to;
      if (state_[next] == State::fresh)
        enter(next);
      else if (state_[next] == State::on_path)
        report_circle_from(next);
    }
  }

  void enter(Node node) {
    state_[node] = State::on_path;
    path_.push_back({node, 0});
  }

  /// Reports the circle that leads from `start` to the end of the path and back.
  void report_circle_from(Node start) {
    const auto begin = std::ranges::find(path_, start, &Step::node);
    std::vector<Step> circle;  // its rules, each with the edge by which the path leaves it
    std::ranges::copy_if(begin, path_.end(), std::back_inserter(circle),
                         [&](const Step& step) { return step.node < rules_.size(); });
    if (reported_[circle.front().node] || reported_[circle.back().node]) return;
    for (const auto& step : circle)
      reported_[step.node] = true;
    // Not std::ranges::rotate: clang 14 cannot compile it with libstdc++ 12.
    std::rotate(circle.begin(), std::ranges::min_element(circle, {}, &Step::node), circle.end());
    report(circle);
  }

  void report(const std::vector<Step>& circle) {
    std::string names;
    for (std::size_t i = 0; i < std::min(circle.size(), most_names); ++i)
      names += printable_excerpt(rules_[circle[i].node].rule.name) + " -> ";
    if (circle.size() > most_names)
      names += fmt::format("({} more) -> ", circle.size() - most_names);
    const PlacedRule& first = rules_[circle.front().node];
    diagnostics_.add(
        first.outputs_at[edges_[circle.front().node][circle.front().next_edge - 1].output],
        fmt::format("rules feed each other in a circle: {}{}; `allow_loop = true` in one of them "
                    "permits it",
                    names, printable_excerpt(first.rule.name)));
  }

  std::span<const PlacedRule> rules_;
  Diagnostics& diagnostics_;
  std::unordered_map<InputMatch, Node, InputMatchHash> matches_;
  std::vector<std::vector<Edge>> edges_;  // by node: rules first, then matches
  std::vector<Takers> takers_;            // by node; of matches only
  std::vector<State> state_;
  std::vector<bool> reported_;  // by rule: it is in a circle that was reported
  std::vector<Step> path_;
};

}  // namespace

void check_loops(std::span<const PlacedRule> rules, Diagnostics& diagnostics) {
  LoopSearch(rules, diagnostics).run();
}

}  // namespace mcr
