// Reasons may hold figures that grow by the second ("silent for 12 s"). A new reason alone is
// therefore an event only of rules that are active, waiting or failed: there it means that another
// part of the rule cannot be used.
#include "mcr/control/event_watch.hpp"

#include <fmt/ranges.h>

#include <string_view>
#include <unordered_map>

#include "mcr/base/error.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/control/relay.hpp"

namespace mcr {

namespace {

void tell(EventRing& events, Event event) {
  event.time = std::chrono::system_clock::now();
  events.add(std::move(event));
}

bool does_its_work(const EventWatch::RuleSight& rule) {
  return rule.state == RuleState::disabled ||
         (rule.state == RuleState::active && rule.reason.empty());
}

bool reason_tells(RuleState state) {
  return state == RuleState::active || state == RuleState::waiting || state == RuleState::failed;
}

bool differs(const EventWatch::RuleSight& before, const EventWatch::RuleSight& now) {
  return before.state != now.state || (reason_tells(now.state) && before.reason != now.reason);
}

/// Finds a rule by its name, and at once if it is at the place where it is looked for first: most
/// looks find the same rules in the same order.
class SightsByName {
 public:
  explicit SightsByName(const EventWatch::RuleSights& sights) : sights_(sights) {}

  [[nodiscard]] const EventWatch::RuleSight* find(const std::string& name,
                                                  std::size_t first) const {
    if (first < sights_.size() && sights_[first].name == name) return &sights_[first];
    if (by_name_.empty())
      for (const auto& sight : sights_)
        by_name_.emplace(sight.name, &sight);
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

 private:
  const EventWatch::RuleSights& sights_;
  mutable std::unordered_map<std::string_view, const EventWatch::RuleSight*> by_name_;
};

std::string_view name_of(DropPlace place) {
  switch (place) {
    case DropPlace::nic:
      return "nic";
    case DropPlace::backlog:
      return "backlog";
    case DropPlace::socket:
      return "socket";
    case DropPlace::discipline:
      return "qdisc";
    case DropPlace::driver:
      break;
  }
  return "driver";
}

std::string_view state_of(const LegWatch::Watched& watched, std::size_t leg) {
  if (watched.lost[leg]) return "lost";
  if (watched.aside[leg]) return "no_copy";
  return watched.behind[leg] ? "behind" : "merged";
}

EventWatch::LegSights sights_of(const LegWatch& watch) {
  EventWatch::LegSights sights;
  watch.visit_all([&](const LegWatch::Watched& watched) {
    auto& sight = sights[watched.rule.name];
    if (watched.rule.merge) {
      for (std::size_t i = 0; i < watched.lost.size(); ++i)
        sight.legs[place_of(watched.rule.inputs[i])] = state_of(watched, i);
    } else {
      sight.switches = watched.on_air.switches();
      sight.on_air = place_of(watched.rule.inputs[watched.on_air.on_air()]);
      sight.why = watched.switch_reason;
    }
  });
  return sights;
}

/// The drops on sending that count as a loss. The other reasons are what the rules ask for.
constexpr OutputDrop losses_on_sending[] = {OutputDrop::send_queue_full, OutputDrop::egress_full,
                                            OutputDrop::no_memory, OutputDrop::too_big,
                                            OutputDrop::send_error};

}  // namespace

void EventWatch::look(const Relay& relay, Clock::time_point now, EventRing& events) {
  const auto& wanted = relay.rules();
  RuleSights rules;
  rules.reserve(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto status = relay.status_of(i, now);
    rules.push_back({wanted[i].name, status.state, std::move(status.reason)});
  }
  compare_rules(std::move(rules), events);
  const auto statistics = relay.memberships().statistics();
  const bool joined = statistics.joins_attempted != statistics_.joins_attempted ||
                      statistics.leaves != statistics_.leaves;
  if (joined || !failed_joins_.empty()) compare_joins(relay.memberships().all(), events);
  statistics_ = statistics;
  compare_hosts(relay.hosts(), events);
  compare_legs(sights_of(relay.leg_watch()), events);
  compare_drops(relay.totals(), now, events);
}

void EventWatch::compare_rules(RuleSights now, EventRing& events) {
  const SightsByName before(rules_);
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto* old = before.find(now[i].name, i);
    if (old != nullptr ? !differs(*old, now[i]) : !looked_ && does_its_work(now[i])) continue;
    tell(events, {.kind = EventKind::rule,
                  .rule = now[i].name,
                  .state = std::string(to_string(now[i].state)),
                  .before = std::string(old != nullptr ? to_string(old->state) : ""),
                  .reason = now[i].reason.text,
                  .error = now[i].reason.error});
  }
  const SightsByName after(now);
  for (std::size_t i = 0; i < rules_.size(); ++i)
    if (after.find(rules_[i].name, i) == nullptr)
      tell(events, {.kind = EventKind::rule,
                    .rule = rules_[i].name,
                    .state = "removed",
                    .before = std::string(to_string(rules_[i].state))});
  rules_ = std::move(now);
  looked_ = true;
}

/// A new leg counts as merged until it is known to be something else.
void EventWatch::compare_legs(LegSights now, EventRing& events) {
  for (const auto& [name, sight] : now) {
    const auto known = legs_.find(name);
    if (known != legs_.end() && sight.switches != known->second.switches)
      tell(events, {.kind = EventKind::failover,
                    .rule = name,
                    .subject = sight.on_air,
                    .state = "on_air",
                    .reason = fmt::format("instead of {}: {}", known->second.on_air, sight.why)});
    for (const auto& [input, state] : sight.legs) {
      std::string_view before = "merged";
      if (known != legs_.end())
        if (const auto leg = known->second.legs.find(input); leg != known->second.legs.end())
          before = leg->second;
      if (state != before)
        tell(events, {.kind = EventKind::merge,
                      .rule = name,
                      .subject = input,
                      .state = std::string(state),
                      .before = std::string(before)});
    }
  }
  legs_ = std::move(now);
}

/// A group that is no longer wanted has no event: nothing has come of it.
void EventWatch::compare_joins(const std::vector<std::pair<Group, Membership>>& all,
                               EventRing& events) {
  const auto event = [](const Group& group, std::string state, int error) {
    return Event{.kind = EventKind::join,
                 .interface = group.interface,
                 .subject = group.group.str(),
                 .state = std::move(state),
                 .reason = error == 0 ? "" : errno_text(error),
                 .error = error};
  };
  std::map<Group, int> failed;
  for (const auto& [group, membership] : all) {
    const auto before = failed_joins_.find(group);
    const bool known = before != failed_joins_.end();
    if (membership.state == MembershipState::failed) {
      failed.emplace(group, membership.error);
      if (!known || before->second != membership.error)
        tell(events, event(group, "failed", membership.error));
    } else if (known && membership.state == MembershipState::joining) {
      failed.emplace(group, before->second);
    } else if (known && membership.state == MembershipState::joined) {
      tell(events, event(group, "joined", 0));
    }
  }
  failed_joins_ = std::move(failed);
}

/// A name that was not looked up yet has no event.
void EventWatch::compare_hosts(const HostBook& now, EventRing& events) {
  if (now == hosts_) return;
  for (const auto& [name, host] : now) {
    const auto before = hosts_.find(name);
    if (host == (before == hosts_.end() ? HostAddresses() : before->second)) continue;
    const bool resolved = !host.addresses.empty();
    tell(events,
         {.kind = EventKind::host,
          .subject = name,
          .state = resolved ? "resolved" : "unresolved",
          .reason = resolved ? fmt::format("{}", fmt::join(host.addresses, ", ")) : host.trouble});
  }
  hosts_ = now;
}

void EventWatch::compare_drops(const Totals& totals, Clock::time_point now, EventRing& events) {
  for (const auto drop : losses_on_sending) {
    const auto reason = static_cast<std::size_t>(drop);
    count({"", std::string(output_drop_names[reason])}, totals.tx_drops[reason], now, events);
  }
}

void EventWatch::look_at_losses(std::span<const ExternalDropCount> counts, Clock::time_point now,
                                EventRing& events) {
  for (const auto& [interface, place, frames] : counts)
    count({interface, std::string(name_of(place))}, frames, now, events);
}

/// The first look at a counter only remembers it. One that fell is a recreated interface's.
void EventWatch::count(const Place& place, std::uint64_t sum, Clock::time_point now,
                       EventRing& events) {
  const auto [entry, is_new] = losses_.try_emplace(place, Loss{.seen = sum});
  auto& loss = entry->second;
  const auto tell_of = [&](std::string state) {
    tell(events, {.kind = EventKind::loss,
                  .interface = place.first,
                  .subject = place.second,
                  .state = std::move(state),
                  .count = loss.seen - loss.since});
  };
  if (sum > loss.seen) {
    const bool begins = !std::exchange(loss.going_on, true);
    if (begins) loss.since = loss.seen;
    loss.seen = sum;
    loss.grew_at = now;
    if (begins) tell_of("begun");
    return;
  }
  if (sum < loss.seen) loss = {.seen = sum, .since = sum, .going_on = loss.going_on};
  if (!loss.going_on || now - loss.grew_at < quiet) return;
  loss.going_on = false;
  tell_of("ended");
}

}  // namespace mcr
