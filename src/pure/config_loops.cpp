// The graph has two kinds of nodes: rules, and flows that some rule takes in. An edge goes from a
// rule to the flow of each output, and from a flow to each rule that has it as an input; so its
// size is that of the configuration, however many rules share a flow. A depth-first search keeps
// its path; an edge back into the path closes a circle. The path is a vector, not the call stack: a
// chain may have 10,000 rules. An output that is its own rule's input is refused elsewhere and no
// edge here.
#include "config_loops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <unordered_map>
#include <vector>

#include "config_flow.hpp"

namespace mcr {
namespace {

using Node = std::uint32_t;
constexpr Node nowhere = std::numeric_limits<Node>::max();
constexpr std::size_t most_names = 20;  // of a circle, in its message

class LoopSearch {
 public:
  LoopSearch(std::span<const PlacedRule> rules, Mistakes& mistakes)
      : rules_(rules), mistakes_(mistakes) {
    add_flows();
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
  struct Step {
    Node node;
    std::size_t next_edge;
  };

  void add_flows() {
    edges_.resize(rules_.size());
    for (Node r = 0; r < rules_.size(); ++r) {
      if (!rules_[r].rule.enabled) continue;
      for (const auto& input : rules_[r].rule.inputs) {
        const auto fresh = static_cast<Node>(edges_.size());
        const auto [flow, is_new] = flows_.try_emplace(Flow(input), fresh);
        if (is_new) edges_.emplace_back();
        edges_[flow->second].push_back(r);
      }
    }
  }

  /// A rule's edges stand as its outputs do.
  void add_outputs() {
    for (Node r = 0; r < rules_.size(); ++r) {
      const Rule& rule = rules_[r].rule;
      for (const auto& output : rule.outputs) {
        const bool own = std::ranges::any_of(
            rule.inputs, [&](const Input& input) { return Flow(input) == Flow(output); });
        const auto flow = flows_.find(Flow(output));
        edges_[r].push_back(own || flow == flows_.end() ? nowhere : flow->second);
      }
    }
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
      const Node next = edges_[step.node][step.next_edge++];
      if (next == nowhere) continue;
      if (state_[next] == State::fresh)
        enter(next);
      else if (state_[next] == State::on_path)
        circle_from(next);
    }
  }

  void enter(Node node) {
    state_[node] = State::on_path;
    path_.push_back({node, 0});
  }

  /// The path from `start` to its end is a circle.
  void circle_from(Node start) {
    const auto begin = std::ranges::find(path_, start, &Step::node);
    std::vector<Step> circle;  // its rules, each with the edge that was taken
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
      names += excerpt(rules_[circle[i].node].rule.name) + " -> ";
    if (circle.size() > most_names)
      names += fmt::format("({} more) -> ", circle.size() - most_names);
    const PlacedRule& first = rules_[circle.front().node];
    mistakes_.add(
        first.outputs_at[circle.front().next_edge - 1],
        fmt::format("rules feed each other in a circle: {}{}", names, excerpt(first.rule.name)));
  }

  std::span<const PlacedRule> rules_;
  Mistakes& mistakes_;
  std::unordered_map<Flow, Node, FlowHash> flows_;
  std::vector<std::vector<Node>> edges_;  // of rules, then of flows
  std::vector<State> state_;
  std::vector<bool> reported_;  // of rules: in a circle that was reported
  std::vector<Step> path_;
};

}  // namespace

void check_loops(std::span<const PlacedRule> rules, Mistakes& mistakes) {
  LoopSearch(rules, mistakes).run();
}

}  // namespace mcr
