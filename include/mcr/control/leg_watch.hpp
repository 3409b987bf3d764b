// Watches the inputs of rules with `merge` or `failover`: puts inputs on air, and tells what became
// of legs. Control thread only, but for look(), which a thread of its own calls (leg_lookout.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/config/rule.hpp"
#include "mcr/redundancy/leg_registry.hpp"
#include "mcr/redundancy/legs.hpp"
#include "mcr/redundancy/on_air.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

class LegWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// While has_failover(), look() is due so often. It takes a few hundred ns a rule.
  static constexpr std::chrono::milliseconds interval{10};
  /// A leg that was not heard for so long while another one was is lost.
  static constexpr std::chrono::seconds lost_after{2};

  /// One rule with legs. Vectors are by input.
  struct Watched {
    Rule rule;
    std::shared_ptr<redundancy::Legs> legs;
    std::vector<std::size_t> numbers;  ///< of the inputs among `legs`
    std::vector<redundancy::InputLook> looks;
    std::vector<bool> lost;    ///< of merged ones, as of the last tick()
    std::vector<bool> aside;   ///< likewise
    std::vector<bool> behind;  ///< likewise: by more than `window`
    redundancy::OnAir on_air;
    std::string switch_reason{};  ///< of the last switch; "": there was none

    [[nodiscard]] const redundancy::Leg& leg(std::size_t input) const {
      return legs->leg(numbers[input]);
    }
    /// In the last two seconds.
    [[nodiscard]] bool is_heard(std::size_t input, Clock::time_point now) const;
    /// Another input than the best one is on air.
    [[nodiscard]] bool on_backup() const;
  };

  /// After a reload: `rules` run, with these statuses. A rule that stays keeps its input on air.
  void follow(std::span<const Rule> rules, std::span<const RuleStatus> statuses,
              const redundancy::LegRegistry& registry, Clock::time_point now);

  /// Notes in words how an input of a rule with `failover` falls short of `expect`, until the next
  /// call; "": it does not.
  void set_shortcoming(const std::string& rule, std::size_t input, std::string text);

  [[nodiscard]] bool has_failover() const noexcept { return has_failover_; }
  /// Looks at all inputs of rules with `failover`, and switches. Any thread. True: joins() may say
  /// otherwise than when take_join_change() was called last.
  bool look(Clock::time_point now);
  /// True if the input of this rule, which runs or is to run, is to be joined: it is warm, or
  /// needed.
  [[nodiscard]] bool joins(const Rule& rule, const Input& input) const;
  /// True if joins() may say otherwise than at the last call.
  [[nodiscard]] bool take_join_change();
  /// Once a second: tells of merged legs that are lost, back, or no copies.
  void tick(Clock::time_point now);

  /// An operator chooses the input; none: MCR chooses. Returns the reason if it fails, else "".
  [[nodiscard]] std::string put_on_air(const std::string& rule, std::optional<std::size_t> input,
                                       std::optional<std::chrono::microseconds> time,
                                       Clock::time_point now);

  /// Shows one rule to `visitor`, which look() waits for: it must be short, and must not call this
  /// object. False, and not shown: the rule has no legs, or does not run.
  template <typename Visitor>
  bool visit(const std::string& rule, Visitor&& visitor) const {
    const std::lock_guard lock(mutex_);
    const auto known = watched_.find(rule);
    if (known == watched_.end()) return false;
    visitor(known->second);
    return true;
  }
  /// Shows all rules in the order of their names, one after the other.
  template <typename Visitor>
  void visit_all(Visitor&& visitor) const {
    for (const auto& [name, watched] : watched_) {
      const std::lock_guard lock(mutex_);
      visitor(watched);
    }
  }
  /// Tells people what they must know of the rule's legs; "" if all is well.
  [[nodiscard]] std::string trouble(const std::string& rule) const;

 private:
  using WatchedByName = std::map<std::string, Watched>;

  [[nodiscard]] static WatchedByName make(std::span<const Rule> rules,
                                          std::span<const RuleStatus> statuses,
                                          const redundancy::LegRegistry& registry,
                                          Clock::time_point now);
  static void keep(Watched& now, const Watched& before, Clock::time_point time);
  [[nodiscard]] Clock::time_point not_before_last(Clock::time_point now) noexcept;
  void look(Watched& watched, Clock::time_point now);
  /// Notes and tells that inputs are to be joined now, or not any more. `before`: by input.
  void follow_joins(const Watched& watched, const std::vector<bool>& before);
  static void tick(Watched& watched, Clock::time_point now);
  static void look_behind(Watched& watched, std::size_t input);
  [[nodiscard]] static std::string trouble_on_air(const Watched& watched);
  [[nodiscard]] static std::string trouble_of_legs(const Watched& watched);
  /// The input is a merged one; "": it has none.
  [[nodiscard]] static std::string trouble_of(const Watched& watched, std::size_t input);

  mutable std::mutex mutex_;  ///< see the source for what it guards
  WatchedByName watched_;
  Clock::time_point looked_at_{};  ///< the latest
  bool joins_changed_ = false;
  bool has_failover_ = false;  ///< control thread only
};

/// "239.1.1.1:5000 on eth0"
[[nodiscard]] std::string place_of(const Input& input);

}  // namespace mcr
