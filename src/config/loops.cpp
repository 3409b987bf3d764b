// The graph has two kinds of nodes: rules, and the matches (InputMatch) of their inputs. An edge
// leads from a rule to the match of each of its outputs, and from a match to each rule that has it
// as an input. So the graph is as large as the configuration, however many rules share a match.
//
// An output that decides the source of its copies feeds only rules that take that source: one with
// a `source` of its own at most one rule, since rules that share a match have disjoint sources; one
// that preserves the sender only rules that share a source with its own rule. Its edges lead to
// those rules.
//
// An output by the name of a host may come to have any address but those of this host. So it feeds
// each rule that takes unicast which this host sends, by that interface and to that port.
//
// Rules that feed each other in a circle are a strongly connected component of two nodes or more: a
// rule has no edge to itself without a match between. They are found in one depth-first search
// (Tarjan, 1972). Its path is a vector and not the call stack, because a chain may have 10,000
// rules.
#include "loops.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "input_match.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {
namespace {

using Node = std::uint32_t;

class CircleSearch {
 public:
  explicit CircleSearch(std::span<PlacedRule> rules) : rules_(rules) {
    add_matches();
    for (auto& takers : takers_)
      std::ranges::sort(takers.by_source, {}, first_source);
    add_outputs();
    visits_.resize(edges_.size());
  }

  /// Returns how many circles there are.
  std::uint32_t run() {
    for (Node node = 0; node < rules_.size(); ++node)
      if (visits_[node].number == 0) search(node);
    return circles_;
  }

 private:
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

  /// A node, by the search.
  struct Visit {
    std::uint32_t number = 0;  ///< in the order of the search, from 1; 0: not yet
    std::uint32_t lowest = 0;  ///< number of the first node on the path that it leads back to
    bool open = false;         ///< its component is not complete
  };
  struct Step {
    Node node;
    std::size_t next_edge;
  };

  void add_matches() {
    edges_.resize(rules_.size());
    takers_.resize(rules_.size());
    for (Node r = 0; r < rules_.size(); ++r) {
      if (!rules_[r].rule.enabled) continue;
      for (const auto& input : rules_[r].rule.inputs)
        for (std::size_t n = 0; n < input.destinations().size(); ++n)
          add_taker(node_of(input, n), r, input, n);
    }
  }

  void add_taker(Node match, Node rule, const Input& input, std::size_t n) {
    edges_[match].push_back(rule);
    auto& takers = takers_[match];
    const auto ranges = source_ranges(input);
    takers.any = takers.any || ranges.empty() || input.local;
    for (const auto& range : ranges)
      takers.by_source.push_back({range, rule});
    if (input.local && !input.destination.is_multicast())
      sent_here_.emplace(any_host(input.interface, input.destinations().at(n).port), match);
  }

  static InputMatch any_host(std::string_view interface, std::uint16_t port) {
    return {interface, Endpoint{IpAddress(), port}};
  }

  /// The node of the input's n-th destination, which is made if it is new.
  Node node_of(const Input& input, std::size_t n) {
    const auto fresh = static_cast<Node>(edges_.size());
    const InputMatch match(input.interface, input.destinations().at(n), input.vlan);
    const auto [place, is_new] = matches_.try_emplace(match, fresh);
    if (is_new) {
      edges_.emplace_back();
      takers_.emplace_back();
    }
    return place->second;
  }

  void add_outputs() {
    for (Node r = 0; r < rules_.size(); ++r)
      if (rules_[r].rule.enabled)
        for (const auto& output : rules_[r].rule.outputs)
          add_output(r, output, sources_of_copies(rules_[r].rule, output));
  }

  /// Empty: any.
  static std::vector<SourceRange> sources_of_copies(const Rule& rule, const Output& output) {
    if (output.source.mode == Source::Mode::address)
      return {{output.source.address, output.source.address}};
    std::vector<SourceRange> all;
    if (output.source.mode != Source::Mode::preserve) return all;
    for (const auto& input : rule.inputs) {
      const auto ranges = source_ranges(input);
      if (ranges.empty() || input.local) return {};
      all.insert(all.end(), ranges.begin(), ranges.end());
    }
    return all;
  }

  void add_output(Node r, const Output& output, const std::vector<SourceRange>& sources) {
    const auto to = output.destinations();
    if (output.host) return add_host_output(r, output);
    for (std::size_t n = 0; n < to.size(); ++n) {
      const auto match = matches_.find(InputMatch(output.interface, to.at(n)));
      if (match == matches_.end()) continue;
      if (sources.empty() || takers_[match->second].any)
        edges_[r].push_back(match->second);
      else
        add_fed(r, takers_[match->second].by_source, sources);
    }
  }

  void add_host_output(Node r, const Output& output) {
    for (std::uint32_t port = 0; port < output.ports; ++port) {
      const auto [begin, end] = sent_here_.equal_range(
          any_host(output.interface, output.destinations().at(0, port).port));
      for (auto match = begin; match != end; ++match)
        edges_[r].push_back(match->second);
    }
  }

  /// Edges to the rules that take one of these sources.
  void add_fed(Node r, const std::vector<Taker>& takers, const std::vector<SourceRange>& sources) {
    for (const auto& range : sources) {
      auto taker = std::ranges::upper_bound(takers, range.last, {}, first_source);
      while (taker != takers.begin() && (--taker)->sources.last >= range.first)
        if (edges_[r].empty() || edges_[r].back() != taker->rule) edges_[r].push_back(taker->rule);
    }
  }

  void search(Node root) {
    enter(root);
    while (!path_.empty()) {
      auto& [node, next_edge] = path_.back();
      if (next_edge == edges_[node].size()) {
        leave(node);
        continue;
      }
      const Node next = edges_[node][next_edge++];
      if (visits_[next].number == 0)
        enter(next);
      else if (visits_[next].open)
        lower(node, visits_[next].number);
    }
  }

  void enter(Node node) {
    visits_[node] = {++visited_, visited_, true};
    path_.push_back({node, 0});
    open_.push_back(node);
  }

  void leave(Node node) {
    const auto lowest = visits_[node].lowest;
    path_.pop_back();
    if (!path_.empty()) lower(path_.back().node, lowest);
    if (lowest == visits_[node].number) close_component(node);
  }

  void lower(Node node, std::uint32_t number) {
    visits_[node].lowest = std::min(visits_[node].lowest, number);
  }

  /// The component is what stands on `open_` from its first node on.
  void close_component(Node first) {
    const bool is_circle = open_.back() != first;
    circles_ += is_circle ? 1 : 0;
    while (visits_[first].open) {
      const Node node = open_.back();
      open_.pop_back();
      visits_[node].open = false;
      if (node < rules_.size()) rules_[node].rule.circle.number = is_circle ? circles_ : 0;
    }
  }

  std::span<PlacedRule> rules_;
  std::unordered_map<InputMatch, Node, InputMatchHash> matches_;
  std::unordered_multimap<InputMatch, Node, InputMatchHash> sent_here_;  // unicast, by any_host()
  std::vector<std::vector<Node>> edges_;  // by node: rules first, then matches
  std::vector<Takers> takers_;            // by node; of matches only
  std::vector<Visit> visits_;             // by node
  std::vector<Step> path_;
  std::vector<Node> open_;  // nodes whose component is not complete, in the order of the search
  std::uint32_t visited_ = 0;
  std::uint32_t circles_ = 0;
};

}  // namespace

std::uint32_t find_circles(std::span<PlacedRule> rules) {
  return CircleSearch(rules).run();
}

}  // namespace mcr
