// A reload loses no datagram of a rule that stays, and never ends half-way. It has one commit
// point, the publication of the new rule table:
//
//   join_groups, compile, open_sockets,      add to what runs; they may throw, and are undone
//     widen_filters, prepare_fast_path
//   publish                                  the commit point
//   adjust_host, narrow_filters, ...         take away what only the old rules needed
//
// Before it the old table runs. Each step only adds something that the old table does not notice: a
// membership, a socket that no worker reads, a filter that passes more. So any failure is undone by
// taking away what the running table does not ask for, and nothing else of the relay has changed:
// what shall run is kept beside what runs.
//
// After it the new table runs, and the reload has succeeded, whatever happens next: a step that
// fails is logged, and leaves a surplus (a membership, a filter too wide, a socket) that the next
// reload or the next second removes. An exception here would tell the client that its rules were
// refused, while they run.
//
// Sockets and slots that only the old table used are retired later, when no worker uses them any
// more (Relay::retire).
#include "mcr/control/reload.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/control/try_or_log.hpp"
#include "mcr/rules/compiler.hpp"
#include "mcr/rules/remedies.hpp"

namespace mcr {

static_assert(std::is_nothrow_swappable_v<Running>, "the commit point must not fail half-way");

namespace {

/// A worker answers within microseconds; one that does not keeps only memory and sockets waiting.
constexpr std::chrono::milliseconds grace_period{1000};

std::string details(const Group& group) {
  return fmt::format(
      "group={} interface={}{}{}", group.group, group.interface,
      group.source ? fmt::format(" source={}", group.source) : "",
      group.excluded.empty() ? "" : fmt::format(" without={}", fmt::join(group.excluded, ",")));
}

void log_event(const MembershipEvent& event) {
  if (event.state == MembershipState::leaving && event.error != 0)
    log::warning("leave failed: {} error={}", details(event.group),
                 log::value(errno_text(event.error)));
  else if (event.error != 0)
    log::error("join failed: {} error={} do={}", details(event.group),
               log::value(errno_text(event.error)),
               log::value(remedy(join_trouble(event.error), event.group.interface)));
  else
    log::debug("membership {}: {}", to_string(event.state), details(event.group));
}

void log_rule(std::string_view rule, const RuleStatus& now) {
  if (now.state == RuleState::active)
    log::info("rule active: rule={}{}", log::value(rule),
              now.reason.empty() ? "" : " reason=" + log::value(now.reason.text));
  else if (now.state == RuleState::disabled)
    log::info("rule disabled: rule={}", log::value(rule));
  else
    log::warning("rule {}: rule={} reason={}", to_string(now.state), log::value(rule),
                 log::value(now.reason.text));
}

void log_rule_changes(const Running& before, const Running& after) {
  std::map<std::string_view, const RuleStatus*> known;
  for (std::size_t i = 0; i < before.statuses.size(); ++i)
    known.emplace(before.config.rules[i].name, &before.statuses[i]);
  for (std::size_t i = 0; i < after.statuses.size(); ++i) {
    const auto& rule = after.config.rules[i].name;
    const auto& now = after.statuses[i];
    const auto then = known.find(rule);
    if (then == known.end() || then->second->state != now.state ||
        then->second->reason != now.reason)
      log_rule(rule, now);
  }
}

}  // namespace

void log_events(const MembershipEvents& events) {
  for (const auto& event : events)
    log_event(event);
}

Reload::Reload(const Parts& parts, const Config& config, const Interfaces& interfaces,
               const SocketRefusals& refused, Clock::time_point now)
    : parts_(parts),
      now_(now),
      groups_before_(groups_for(parts.running.config)),
      other_{config, interfaces, view_of(config.rules, interfaces), {}, parts.running.senders,
             refused},
      plan_(plan_groups(groups_before_, groups_for(config))) {}

Reload::~Reload() {
  if (!committed_) undo();
}

std::set<Group> Reload::groups_for(const Config& config) const {
  return wanted_groups(config.rules, [this](const Rule& rule, const Input& input) {
    return parts_.leg_watch.joins(rule, input);
  });
}

void Reload::join_groups() {
  log_events(parts_.memberships.join(plan_.join, other_.interfaces, now_));
}

void Reload::compile() {
  compiling_since_ = Clock::now();
  other_.senders.leave_to_inputs(other_.config.rules, now_);
  other_.statuses.reserve(other_.config.rules.size());
  for (const auto& rule : other_.config.rules)
    other_.statuses.push_back(rule_status(
        rule, other_.interfaces, [this](const Input& i) { return join_refusal(i); },
        other_.refused));
  table_ = std::make_unique<RuleTable>(compile_table(
      other_.config.rules, other_.interfaces, other_.statuses, parts_.slots,
      parts_.rules.latest().generation() + 1, parts_.sockets.source_port(), other_.senders.keys()));
  plan_sockets(plan_, *table_, parts_.sockets.opened());
}

/// Empty while at least one of the input's memberships is not refused.
Reason Reload::join_refusal(const Input& input) const {
  Reason refusal;
  for (const auto& group : groups_of(input)) {
    const auto* membership = parts_.memberships.find(group);
    if (membership == nullptr || membership->state != MembershipState::failed) return {};
    refusal = {fmt::format("join {}: {}", group.str(), errno_text(membership->error)),
               membership->error};
  }
  return refusal;
}

void Reload::open_sockets() {
  parts_.sockets.refuse_restart_keys(*table_, other_.config.interfaces);
  parts_.sockets.open(plan_.open_rx, plan_.open_tx, other_.config.interfaces,
                      other_.config.daemon.fanout);
  parts_.port_guards.hold(*table_);
}

void Reload::widen_filters() {
  parts_.sockets.widen(plan_.widen);
}

void Reload::prepare_fast_path() {
  parts_.fast_path.prepare(other_.config.rules, other_.interfaces, other_.statuses, parts_.slots,
                           parts_.sockets.source_port());
}

void Reload::publish() {
  parts_.rules.publish(std::move(table_));
  // ---- The commit point: the new rules run. From here on nothing throws. ----
  committed_ = true;
  std::swap(parts_.running, other_);
  for (const auto& worker : parts_.workers) {
    worker->set_batch_wait(parts_.running.config.daemon.batch_wait);
    worker->set_poll(parts_.running.config.daemon.idle == Idle::poll);
    worker->wake();
  }
  await_workers();
  // The workers have the new rules: they take what the kernel's way does not take any more.
  parts_.fast_path.publish();
}

/// Until each has dropped the old table, or is seen to be stuck.
void Reload::await_workers() const noexcept {
  try_or_log("wait for the workers", "", [this] {
    if (!parts_.rules.wait_until_reclaimed(grace_period))
      log::warning("a worker has not taken the new rules for {} ms", grace_period.count());
    log::info("{} compiled and published in {:.1f} ms",
              counted(parts_.running.config.rules.size(), "rule"),
              std::chrono::duration<double, std::milli>(Clock::now() - compiling_since_).count());
  });
}

void Reload::tell_rule_changes() const noexcept {
  try_or_log("log what has changed", "", [this] { log_rule_changes(other_, parts_.running); });
}

void Reload::adjust_host() noexcept {
  const auto& running = parts_.running;
  try_or_log("switch UDP GRO", "", [&] {
    parts_.gro.apply(running.config.rules, running.config.interfaces, running.interfaces);
  });
  parts_.sockets.resize_buffers(running.config.interfaces);
  parts_.fast_path.detach_unused();
  parts_.fast_path.tell_others();
}

void Reload::narrow_filters() noexcept {
  parts_.sockets.narrow(plan_.narrow);
  try_or_log("release ports", "", [this] { parts_.port_guards.release(parts_.rules.latest()); });
}

void Reload::leave_groups() noexcept {
  try_or_log("leave groups", "",
             [this] { log_events(parts_.memberships.leave(plan_.keep, now_)); });
}

/// Takes away what the running table does not ask for. The new sockets are closed and the new slots
/// given back by Relay::retire, as those of an old table are.
void Reload::undo() noexcept {
  const auto& running = parts_.rules.latest();
  try_or_log("leave groups", "",
             [&] { log_events(parts_.memberships.leave(groups_before_, now_)); });
  try_or_log("narrow packet filters", "", [&] {
    ReloadPlan back;
    plan_sockets(back, running, parts_.sockets.opened());
    parts_.sockets.narrow(back.narrow);
  });
  try_or_log("release ports", "", [&] { parts_.port_guards.release(running); });
  parts_.fast_path.detach_unused();
}

}  // namespace mcr
