// The traffic of a rule has a say in its state: the relay's part that compares it with `expect`,
// and looks for echoes of its own, once a second. One line in the log when a fault begins, one when
// it ends.
#include <algorithm>
#include <set>

#include "mcr/base/log.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/control/relay.hpp"
#include "mcr/control/try_or_log.hpp"

namespace mcr {

namespace {

void add(std::vector<PidCount>& pids, const stream::PidReport& more) {
  const auto known = std::ranges::find(pids, more.pid, &PidCount::pid);
  if (known == pids.end()) return pids.push_back({more.pid, more.packets, more.cc_errors});
  known->packets += more.packets;
  known->cc_errors += more.cc_errors;
}

void add(QualityLook& look, const StreamSight& sight) {
  look.received += sight.now.counts.received;
  look.lost += sight.lost_for_good;
  look.cc_errors += sight.now.cc_errors;
  for (const auto& source : sight.now.sources)
    if (source.ts)
      for (const auto& pid : source.ts->pids)
        add(look.pids, pid);
}

}  // namespace

Hearing Relay::hearing(std::size_t at, Clock::time_point now) const {
  const auto activity = activity_of(at);
  return {.now = now,
          .listening = statuses()[at].state == RuleState::active,
          .pps = activity.pps,
          .last_seen = activity.last_seen,
          .last_source = activity.last_source};
}

RuleStatus Relay::status_of(std::size_t rule, Clock::time_point now) const {
  const auto& wanted = rules()[rule];
  const auto slot = *slots_.rules.find(wanted.name);
  RuleFindings findings;
  if (wanted.circle.number != 0 && loop_alarms_[slot].looping()) findings.loop = loop_reason(slot);
  if (wanted.expect && silence_alarms_[slot].silent())
    findings.silence = silence_alarms_[slot].reason(*wanted.expect, hearing(rule, now));
  findings.degradation = degradation_of(rule);
  auto status = with_findings(statuses()[rule], findings);
  const auto trouble = leg_watch_.trouble(wanted.name);
  if (!trouble.empty())
    status.reason = status.reason.empty() ? Reason(trouble) : status.reason.after(trouble + "; ");
  return status;
}

/// A rule with `failover` is as degraded as its input on air.
std::string Relay::degradation_of(std::size_t at) const {
  const auto& rule = rules()[at];
  const auto slot = *slots_.rules.find(rule.name);
  std::size_t on_air = 0;
  const auto see = [&](const LegWatch::Watched& watched) { on_air = watched.on_air.on_air(); };
  if (rule.failover && leg_watch_.visit(rule.name, see)) {
    const auto known = input_alarms_.find({slot, on_air});
    return known == input_alarms_.end() ? "" : known->second.reason();
  }
  const auto known = quality_alarms_.find(slot);
  return known == quality_alarms_.end() ? "" : known->second.reason();
}

void Relay::update_silence_alarms(Clock::time_point now) noexcept {
  for (std::size_t i = 0; i < rules().size(); ++i)
    if (rules()[i].expect)
      try_or_log("update the alarm of silence", rules()[i].name,
                 [&] { update_silence_alarm(i, now); });
}

/// Silence is the fault that people most want to be told of.
void Relay::update_silence_alarm(std::size_t at, Clock::time_point now) {
  const auto& rule = rules()[at];
  const auto slot = *slots_.rules.find(rule.name);
  auto& alarm = silence_alarms_[slot];
  const auto heard = hearing(at, now);
  const auto lacking = alarm.lacking_for(now);
  switch (alarm.update(*rule.expect, heard)) {
    case SilenceAlarm::Event::none:
      break;
    case SilenceAlarm::Event::fell_silent:
      log::warning("rule silent: rule={} reason={}", log::value(rule.name),
                   log::value(alarm.reason(*rule.expect, heard)));
      break;
    case SilenceAlarm::Event::returned:
      log::notice("rule heard again: rule={} silence={}s pps={:.0f} source={}",
                  log::value(rule.name), lacking.count(), heard.pps, heard.last_source);
      break;
  }
}

/// The interface has no name if its socket is gone.
std::string Relay::loop_reason(std::uint32_t slot) const {
  const auto& sockets = rules_.latest().rx();
  const auto rx = std::ranges::find(sockets, loop_guard_.echoes(slot).rx_slot, &TableRx::slot);
  return loop_alarms_[slot].reason(rx == sockets.end() ? "an interface" : rx->interface);
}

void Relay::update_loop_alarms(Clock::time_point now) noexcept {
  for (std::size_t i = 0; i < rules().size(); ++i)
    if (const auto& rule = rules()[i]; rule.circle.number != 0)
      try_or_log("update the alarm of loops", rule.name, [&] { update_loop_alarm(i, now); });
}

void Relay::watch_for_loops(Clock::time_point now) {
  std::vector<LoopWatch::Seen> seen;
  seen.reserve(rules().size());
  for (std::size_t i = 0; i < rules().size(); ++i) {
    const auto slot = *slots_.rules.find(rules()[i].name);
    const auto echoes = loop_guard_.echoes(slot);
    seen.push_back({rates_.of(slot).pps, echoes.datagrams, loop_guard_.refuted(slot)});
  }
  if (!loop_watch_.tick(rules(), seen, interfaces(), now)) return;
  for (const auto& rule : rules())
    if (loop_watch_.probes(rule.name) && !rule.circle.probed) {
      loop_guard_.probe_anew(*slots_.rules.find(rule.name));
      log::notice(
          "the same datagrams come again and again: rule={} next=\"find out if they come "
          "back from another relay\"",
          log::value(rule.name));
    }
  apply_in_part(config(), interfaces(), now);
}

void Relay::update_loop_alarm(std::size_t at, Clock::time_point now) {
  const auto& rule = rules()[at];
  const auto slot = *slots_.rules.find(rule.name);
  const auto taken = totals_of(at).rx_datagrams;
  switch (loop_alarms_[slot].update(loop_guard_.echoes(slot), taken, now)) {
    case LoopAlarm::Event::none:
      break;
    case LoopAlarm::Event::began:
      log::warning("rule looping: rule={} reason={}", log::value(rule.name),
                   log::value(loop_reason(slot)));
      break;
    case LoopAlarm::Event::ended:
      log::notice("rule loops no more: rule={}", log::value(rule.name));
      break;
  }
}

void Relay::update_quality_alarms(Clock::time_point now) noexcept {
  for (std::size_t i = 0; i < rules().size(); ++i) {
    const auto& rule = rules()[i];
    const bool judged = rule.expect && rule.expect->judges_quality();
    if (rule.failover && (judged || !input_alarms_.empty()))
      try_or_log("update the alarms of inputs", rule.name, [&] { update_input_alarms(i, now); });
    if (judged && !rule.failover)
      try_or_log("update the alarm of quality", rule.name, [&] { update_quality_alarm(i, now); });
    else if (!quality_alarms_.empty())
      quality_alarms_.erase(*slots_.rules.find(rule.name));
  }
}

void Relay::update_quality_alarm(std::size_t at, Clock::time_point now) {
  const auto& rule = rules()[at];
  const auto slot = *slots_.rules.find(rule.name);
  auto& alarm = quality_alarms_[slot];
  const bool hears = statuses()[at].state == RuleState::active && !silence_alarms_[slot].silent();
  switch (alarm.update(*rule.expect, hears, quality_look(at, now))) {
    case QualityAlarm::Event::none:
      break;
    case QualityAlarm::Event::began:
      log::warning("rule degraded: rule={} reason={}", log::value(rule.name),
                   log::value(alarm.reason()));
      break;
    case QualityAlarm::Event::ended:
      log::notice("rule degraded no more: rule={} degraded={}s state={}", log::value(rule.name),
                  alarm.lasted(now).count(), to_string(status_of(at, now).state));
      break;
  }
}

/// `expect` is part of an input's health. Nothing is expected of one that is not joined.
void Relay::update_input_alarms(std::size_t at, Clock::time_point now) {
  const auto& rule = rules()[at];
  const auto slot = *slots_.rules.find(rule.name);
  std::vector<bool> joined(rule.inputs.size());
  std::vector<bool> heard(rule.inputs.size());
  leg_watch_.visit(rule.name, [&](const LegWatch::Watched& watched) {
    for (std::size_t i = 0; i < joined.size(); ++i) {
      joined[i] = watched.on_air.joined(i);
      heard[i] = watched.is_heard(i, now);
    }
  });
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    if (!rule.expect || !joined[i]) {
      input_alarms_.erase({slot, i});
      leg_watch_.set_shortcoming(rule.name, i, "");
      continue;
    }
    auto expect = *rule.expect;
    if (!rule.inspect) expect.min_bps = expect.max_bps = 0;  // nobody counts the bytes of one input
    auto& alarm = input_alarms_[{slot, i}];
    const auto event = alarm.update(expect, heard[i], input_look(at, i, now));
    // Another input would bring no more of what this relay itself drops.
    leg_watch_.set_shortcoming(rule.name, i, alarm.own_loss() ? "" : alarm.reason());
    if (event == QualityAlarm::Event::began)
      log::warning("input is not as expected: rule={} input={} reason={}", log::value(rule.name),
                   i + 1, log::value(alarm.reason()));
    else if (event == QualityAlarm::Event::ended)
      log::notice("input is as expected again, or silent: rule={} input={}", log::value(rule.name),
                  i + 1);
  }
}

QualityLook Relay::input_look(std::size_t at, std::size_t input, Clock::time_point now) const {
  QualityLook look{.at = now};
  if (const auto* sight = stream_of(at, input)) {
    add(look, *sight);
    for (const auto& source : sight->now.sources)
      look.bytes += source.bytes;
  }
  const auto* interface = interfaces().find(rules()[at].inputs[input].interface);
  if (interface == nullptr) return look;
  if (const auto known = sockets_.counted().find(interface->name);
      known != sockets_.counted().end())
    look.own_drops = known->second.dropped;
  return look;
}

QualityLook Relay::quality_look(std::size_t at, Clock::time_point now) const {
  const auto& rule = rules()[at];
  QualityLook look{.at = now, .bytes = activity_of(at).bytes};
  std::set<std::string> received_on;
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    if (const auto* sight = stream_of(at, i)) add(look, *sight);
    if (const auto* interface = interfaces().find(rule.inputs[i].interface))
      received_on.insert(interface->name);
  }
  for (const auto& name : received_on)
    if (const auto known = sockets_.counted().find(name); known != sockets_.counted().end())
      look.own_drops += known->second.dropped;
  return look;
}

}  // namespace mcr
