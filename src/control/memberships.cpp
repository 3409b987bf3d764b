// Wanted and installed memberships are two sets, and join() and leave() work off their difference.
// Joins come before a new rule table, leaves after it, so that no rule that stays misses anything.
// Every membership that is wanted or installed has an entry:
//
//                      interface appears          kernel accepts
//   waiting_interface ------------------> joining --------------> joined
//        ^    ^                            ^   |                    |
//        |    |                retry is due|   |kernel refuses      | no longer wanted
//        |    |                            |   v                    v
//        |    +---- interface gone ------ failed                 leaving --> (no entry)
//        |                                                        |   ^
//        +-------- interface gone, or another one of that name    +---+ kernel refuses: again later
//
// joining lasts as long as its system call, and so does leaving unless the kernel refuses it. An
// entry in leaving that is wanted again is joined at once, since the kernel still holds it.
// Memberships outlive the flap of a link. When an interface is gone, so are its memberships in the
// kernel: closing the sockets is all there is to do. A refused join or leave is tried again after
// 1 s, doubling to 30 s, and at once when something changes that may have been the cause (hurry());
// a refusal never fails a reload.
#include "mcr/control/memberships.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>

namespace mcr {
namespace {

constexpr std::chrono::seconds first_backoff{1};
constexpr std::chrono::seconds longest_backoff{30};

bool is_installed(MembershipState state) noexcept {
  return state == MembershipState::joined || state == MembershipState::leaving;
}

bool is_retried(MembershipState state, int error) noexcept {
  return state == MembershipState::failed || (state == MembershipState::leaving && error != 0);
}

}  // namespace

std::string Group::str() const {
  if (source) return fmt::format("{} from {} on {}", group, source, interface);
  if (excluded.empty()) return fmt::format("{} on {}", group, interface);
  return fmt::format("{} from all but {} on {}", group, fmt::join(excluded, ", "), interface);
}

std::string_view to_string(MembershipState state) noexcept {
  switch (state) {
    case MembershipState::waiting_interface:
      return "waiting_interface";
    case MembershipState::joining:
      return "joining";
    case MembershipState::joined:
      return "joined";
    case MembershipState::failed:
      return "failed";
    case MembershipState::leaving:
      return "leaving";
  }
  return "";
}

MembershipEvents Memberships::join(const std::set<Group>& wanted, const Interfaces& interfaces,
                                   Clock::time_point now) {
  MembershipEvents events;
  drop_gone_links(wanted, interfaces, events);
  for (const auto& group : wanted) {
    auto [place, is_new] = entries_.try_emplace(group);
    auto& entry = place->second;
    if (entry.membership.state == MembershipState::leaving)
      set(*place, MembershipState::joined, 0, events);
    if (entry.membership.state != MembershipState::waiting_interface) continue;
    if (const auto* interface = interfaces.find(group.interface)) {
      links_.try_emplace(group.interface, Link{interface->index, interface->incarnation, {}});
      try_join(*place, now, events);
    } else if (is_new) {
      set(*place, MembershipState::waiting_interface, 0, events);
    }
  }
  return events;
}

MembershipEvents Memberships::leave(const std::set<Group>& wanted, Clock::time_point now) {
  MembershipEvents events;
  for (auto place = entries_.begin(); place != entries_.end();) {
    auto next = std::next(place);
    const auto state = place->second.membership.state;
    if (!wanted.contains(place->first) && state != MembershipState::leaving) {
      if (is_installed(state))
        try_leave(place, now, events);
      else
        entries_.erase(place);
    }
    place = next;
  }
  return events;
}

MembershipEvents Memberships::retry(Clock::time_point now) {
  MembershipEvents events;
  for (auto place = entries_.begin(); place != entries_.end();) {
    auto next = std::next(place);
    const auto& [state, error] = place->second.membership;
    if (is_retried(state, error) && place->second.retry_at <= now) {
      if (state == MembershipState::failed)
        try_join(*place, now, events);
      else
        try_leave(place, now, events);
    }
    place = next;
  }
  return events;
}

void Memberships::hurry(Clock::time_point now) noexcept {
  for (auto& [group, entry] : entries_) {
    if (!is_retried(entry.membership.state, entry.membership.error)) continue;
    entry.backoff = {};
    entry.retry_at = now;
  }
}

std::optional<Memberships::Clock::time_point> Memberships::next_retry() const {
  std::optional<Clock::time_point> next;
  for (const auto& [group, entry] : entries_)
    if (is_retried(entry.membership.state, entry.membership.error) &&
        (!next || entry.retry_at < *next))
      next = entry.retry_at;
  return next;
}

const Membership* Memberships::find(const Group& group) const {
  auto found = entries_.find(group);
  return found == entries_.end() ? nullptr : &found->second.membership;
}

std::vector<std::pair<Group, Membership>> Memberships::all() const {
  std::vector<std::pair<Group, Membership>> result;
  result.reserve(entries_.size());
  for (const auto& [group, entry] : entries_)
    result.emplace_back(group, entry.membership);
  return result;
}

MembershipStatistics Memberships::statistics() const {
  auto result = statistics_;
  for (const auto& [name, link] : links_)
    for (const auto& [family, helpers] : link.helpers)
      result.helper_sockets += helpers.sockets();
  return result;
}

/// The one place that changes a state.
void Memberships::set(Entries::value_type& place, MembershipState state, int error,
                      MembershipEvents& events) {
  auto& entry = place.second;
  entry.membership = {state, error};
  if (error == 0) entry.backoff = {};
  if (state != MembershipState::joining) events.push_back({place.first, state, error});
}

/// Waits `backoff` from now, and twice as long the next time.
void Memberships::schedule_retry(Entry& entry, Clock::time_point now) {
  entry.backoff = std::clamp<Clock::duration>(entry.backoff * 2, first_backoff, longest_backoff);
  entry.retry_at = now + entry.backoff;
}

void Memberships::drop_gone_links(const std::set<Group>& wanted, const Interfaces& interfaces,
                                  MembershipEvents& events) {
  std::erase_if(links_, [&](const auto& item) {
    const auto& [name, link] = item;
    const auto* now = interfaces.find(name);
    return now == nullptr || now->index != link.index || now->incarnation != link.incarnation;
  });
  for (auto place = entries_.begin(); place != entries_.end();) {
    auto next = std::next(place);
    if (!links_.contains(place->first.interface)) {
      if (!wanted.contains(place->first))
        entries_.erase(place);
      else if (place->second.membership.state != MembershipState::waiting_interface)
        set(*place, MembershipState::waiting_interface, 0, events);
    }
    place = next;
  }
}

void Memberships::try_join(Entries::value_type& place, Clock::time_point now,
                           MembershipEvents& events) {
  const auto& [interface, group, source, excluded] = place.first;
  auto& link = links_.at(interface);
  auto& helpers =
      link.helpers.try_emplace(group.family(), calls_, group.family(), link.index).first->second;
  place.second.membership.state = MembershipState::joining;
  ++statistics_.joins_attempted;
  const int error = helpers.join({group, source, excluded});
  if (error == 0) {
    ++statistics_.joins_succeeded;
    set(place, MembershipState::joined, 0, events);
  } else {
    ++statistics_.joins_failed;
    schedule_retry(place.second, now);
    set(place, MembershipState::failed, error, events);
  }
}

void Memberships::try_leave(Entries::iterator place, Clock::time_point now,
                            MembershipEvents& events) {
  const auto& [interface, group, source, excluded] = place->first;
  auto& helpers = links_.at(interface).helpers.at(group.family());
  const int error = helpers.leave({group, source, excluded});
  if (error == 0) ++statistics_.leaves;
  set(*place, MembershipState::leaving, error, events);
  if (helpers.holds({group, source, excluded}))
    schedule_retry(place->second, now);
  else
    entries_.erase(place);
}

}  // namespace mcr
