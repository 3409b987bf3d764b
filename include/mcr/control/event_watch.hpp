// Turns what the relay is into events: keeps what was, and compares it with what is. So whoever
// changes a rule's state or its reason need not think of events. Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/control/events.hpp"
#include "mcr/control/external_drops.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/rules/host_outputs.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/totals.hpp"

namespace mcr {

class Relay;

class EventWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// A loss is over once a place has lost nothing for so long.
  static constexpr std::chrono::seconds quiet{10};

  /// Adds what has changed since the last look. The first look tells of the rules that do not do
  /// their work. Call it after each change and every second.
  void look(const Relay& relay, Clock::time_point now, EventRing& events);

  /// The same for the kernel's counters of lost frames, every few seconds.
  void look_at_losses(std::span<const ExternalDropCount> counts, Clock::time_point now,
                      EventRing& events);

  // The parts of look(), for tests.

  struct RuleSight {
    std::string name;
    RuleState state = RuleState::active;
    Reason reason{};
  };
  using RuleSights = std::vector<RuleSight>;
  void compare_rules(RuleSights now, EventRing& events);
  void compare_joins(const std::vector<std::pair<Group, Membership>>& all, EventRing& events);
  void compare_hosts(const HostBook& now, EventRing& events);

  /// A rule with `failover` or `merge`.
  struct LegSight {
    std::uint64_t switches = 0;
    std::string on_air{};  ///< its input; and why it is on air
    std::string why{};
    std::map<std::string, std::string_view> legs{};  ///< merged ones: state by input
  };
  using LegSights = std::map<std::string, LegSight>;  ///< by name of the rule
  void compare_legs(LegSights now, EventRing& events);
  void compare_drops(const Totals& totals, Clock::time_point now, EventRing& events);

 private:
  /// A counter of losses: of frames at a place of an interface, or of datagrams by reason.
  struct Loss {
    std::uint64_t seen = 0;
    std::uint64_t since = 0;  ///< `seen` when the loss began
    bool going_on = false;
    Clock::time_point grew_at{};
  };
  using Place = std::pair<std::string, std::string>;  ///< interface and where

  void count(const Place& place, std::uint64_t sum, Clock::time_point now, EventRing& events);

  RuleSights rules_;
  bool looked_ = false;
  std::map<Group, int> failed_joins_;  ///< and their errno
  MembershipStatistics statistics_{};
  HostBook hosts_;
  LegSights legs_;
  std::map<Place, Loss> losses_;
};

}  // namespace mcr
