// Control hears of the rules: from the workers' counters, once a second, to their alarms.
#include <algorithm>

#include "mcr/base/log.hpp"
#include "mcr/control/relay.hpp"

namespace mcr {

Relay::RuleActivity Relay::activity(std::uint32_t slot) const {
  RuleActivity sum;
  sum.pps = rates_[slot].pps;
  sum.bps = rates_[slot].bps;
  std::uint64_t last_seen = 0;
  for (const auto& worker : workers_) {
    const auto& counters = worker->counters().rules[slot];
    sum.datagrams += counters.rx_datagrams.get();
    sum.bytes += counters.rx_bytes.get();
    if (counters.last_seen_ns.get() <= last_seen) continue;
    last_seen = counters.last_seen_ns.get();
    sum.last_source = counters.last_source.get();
  }
  if (last_seen != 0) sum.last_seen = Clock::time_point(std::chrono::nanoseconds(last_seen));
  return sum;
}

Relay::RuleActivity Relay::activity_of(std::size_t rule) const {
  return activity(*slots_.rules.find(config_.rules[rule].name));
}

Hearing Relay::hearing(std::size_t at, std::uint32_t slot, Clock::time_point now) const {
  const auto sum = activity(slot);
  return {.now = now,
          .listening = statuses_[at].state == RuleState::active,
          .pps = sum.pps,
          .last_seen = sum.last_seen,
          .last_source = sum.last_source};
}

/// A rule or output that waits for an interface whose change the kernel refused tells that refusal.
RuleStatus Relay::status_of(std::size_t rule, Clock::time_point now) const {
  auto status = statuses_[rule];
  const auto& wanted = config_.rules[rule];
  const auto explain = [this](Reason& reason, const std::string& interface) {
    const auto refused = unfollowed_.find(interface);
    if (reason.empty() || refused == unfollowed_.end()) return false;
    reason = refused->second;
    return true;
  };
  const auto explain_rule = [&](const auto& endpoint) {
    return explain(status.reason, endpoint.interface);
  };
  [[maybe_unused]] const bool explained = std::ranges::any_of(wanted.inputs, explain_rule) ||
                                          std::ranges::any_of(wanted.outputs, explain_rule);
  for (std::size_t i = 0; i < wanted.outputs.size(); ++i)
    explain(status.output_reasons[i], wanted.outputs[i].interface);

  const auto slot = *slots_.rules.find(wanted.name);
  if (!wanted.expect || !silence_alarms_[slot].silent() || status.state != RuleState::active)
    return status;
  status.state = RuleState::silent;
  const auto silence = silence_alarms_[slot].reason(*wanted.expect, hearing(rule, slot, now));
  status.reason = status.reason.empty() ? Reason(silence) : status.reason.after(silence + "; ");
  return status;
}

/// Silence is the fault that people most want to be told of: one line when it begins, one when it
/// ends.
void Relay::update_silence_alarms(Clock::time_point now) {
  for (std::size_t i = 0; i < config_.rules.size(); ++i) {
    const auto& rule = config_.rules[i];
    if (!rule.expect) continue;
    const auto slot = *slots_.rules.find(rule.name);
    auto& alarm = silence_alarms_[slot];
    const auto heard_now = hearing(i, slot, now);
    const auto lacking = alarm.lacking_for(now);
    switch (alarm.update(*rule.expect, heard_now)) {
      case SilenceAlarm::Event::none:
        break;
      case SilenceAlarm::Event::fell_silent:
        log::warning("rule silent: rule={} reason={}", log::value(rule.name),
                     log::value(alarm.reason(*rule.expect, heard_now)));
        break;
      case SilenceAlarm::Event::returned:
        log::notice("rule heard again: rule={} silence={}s pps={:.0f} source={}",
                    log::value(rule.name), lacking.count(), heard_now.pps, heard_now.last_source);
        break;
    }
  }
}

}  // namespace mcr
