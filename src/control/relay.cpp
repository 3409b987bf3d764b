#include "mcr/control/relay.hpp"

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/rules/compiler.hpp"

namespace mcr {

namespace {

constexpr std::size_t most_workers_by_default = 4;
/// A worker answers within microseconds; one that does not keeps only memory and sockets waiting.
constexpr std::chrono::milliseconds grace_period{1000};

std::string details(const Group& group) {
  return fmt::format("group={} interface={}{}", group.group, group.interface,
                     group.source ? fmt::format(" source={}", group.source) : "");
}

/// Nothing is joined for a host's address, nor to see what this host sends.
bool is_joined(const Input& input) {
  return input.destination.is_multicast() && !input.local;
}

void log_event(const MembershipEvent& event) {
  if (event.state == MembershipState::leaving && event.error != 0)
    log::warning("leave failed: {} error={}", details(event.group),
                 log::value(errno_text(event.error)));
  else if (event.error != 0)
    log::error("join failed: {} error={}", details(event.group),
               log::value(errno_text(event.error)));
  else
    log::debug("membership {}: {}", to_string(event.state), details(event.group));
}

void log_events(const MembershipEvents& events) {
  for (const auto& event : events)
    log_event(event);
}

}  // namespace

std::vector<std::optional<unsigned>> place_workers(const Daemon& daemon) {
  std::vector<std::optional<unsigned>> places(daemon.cpus.begin(), daemon.cpus.end());
  if (!places.empty()) return places;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  ::sched_getaffinity(0, sizeof mask, &mask);
  std::vector<unsigned> allowed;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) allowed.push_back(cpu);
  if (allowed.empty()) allowed.push_back(0);
  const auto count = daemon.workers.value_or(
      static_cast<unsigned>(std::min(allowed.size(), most_workers_by_default)));
  for (unsigned i = 0; i < count; ++i)
    places.emplace_back(count > allowed.size() ? std::nullopt : std::optional(allowed[i]));
  return places;
}

/// Single sources are joined each; with blocks of them any source is, and we filter.
std::vector<Group> memberships_of(const Input& input) {
  if (!is_joined(input)) return {};
  std::vector<IpAddress> sources{IpAddress()};
  if (!input.sources.empty() && std::ranges::all_of(input.sources, &Prefix::is_single)) {
    sources.clear();
    for (const auto& source : input.sources)
      sources.push_back(source.first());
  }
  std::vector<Group> groups;
  for (std::uint32_t n = 0; n < input.addresses; ++n)
    for (const auto& source : sources)
      groups.push_back({input.interface, input.destination.plus(n), source});
  return groups;
}

std::set<Group> wanted_groups(const Config& config) {
  std::set<Group> groups;
  for (const auto& rule : config.rules)
    for (const auto& input : rule.inputs)
      if (rule.enabled)
        std::ranges::move(memberships_of(input), std::inserter(groups, groups.end()));
  return groups;
}

Relay::Relay(const Daemon& daemon, const Options& options)
    : rules_(std::make_unique<const RuleTable>(), place_workers(daemon).size()),
      sockets_(workers_),
      gro_(options.run_folder + "/gro"),
      rates_(slots::rules),
      silence_alarms_(slots::rules),
      sampled_at_(Clock::now()) {
  config_.daemon = daemon;
  unsigned id = 0;
  for (const auto& cpu : place_workers(daemon))
    workers_.push_back(std::make_unique<Worker>(
        rules_, limiters_, id++, cpu, options.plain ? Tx::Mode::baseline : Tx::Mode::bulk));
  watchdogs_.resize(workers_.size());
}

Relay::~Relay() {
  for (auto& worker : workers_)
    worker->stop();
}

void Relay::start() {
  for (auto& worker : workers_)
    worker->start();
}

void Relay::refuse_restart_keys(const Config& config) const {
  const auto refuse = [](std::string_view key) {
    throw Failure(ExitCode::config,
                  fmt::format("[daemon] {} has changed: that needs a restart", key));
  };
  if (config.daemon.workers != config_.daemon.workers) refuse("workers");
  if (config.daemon.cpus != config_.daemon.cpus) refuse("cpus");
  if (config.daemon.fanout != config_.daemon.fanout) refuse("fanout");
}

/// Empty while at least one of the input's memberships stands.
Reason Relay::join_refusal(const Input& input) const {
  Reason refusal;
  for (const auto& group : memberships_of(input)) {
    const auto* membership = memberships_.find(group);
    if (membership == nullptr || membership->state != MembershipState::failed) return {};
    refusal = {fmt::format("join {}: {}", group.str(), errno_text(membership->error)),
               membership->error};
  }
  return refusal;
}

std::vector<RuleStatus> Relay::rule_statuses(const Config& config,
                                             const Interfaces& interfaces) const {
  std::vector<RuleStatus> statuses;
  statuses.reserve(config.rules.size());
  for (const auto& rule : config.rules)
    statuses.push_back(
        rule_status(rule, interfaces, [this](const Input& input) { return join_refusal(input); }));
  return statuses;
}

void Relay::apply(const Config& config, const Interfaces& interfaces, Clock::time_point now) {
  refuse_restart_keys(config);
  log_events(memberships_.join(wanted_groups(config), interfaces, now));
  leave_ports_to_inputs(config, now);
  auto statuses = rule_statuses(config, interfaces);
  const auto compiling = Clock::now();
  std::unique_ptr<RuleTable> table;
  try {
    const auto generation = rules_.latest().generation() + 1;
    table = std::make_unique<RuleTable>(compile_table(
        config, interfaces, statuses, slots_, generation, sockets_.source_port(), senders_.keys()));
    sockets_.open(*table, config);
    port_guards_.hold(*table);
    sockets_.widen(*table);
  } catch (...) {
    log_events(memberships_.leave(wanted_groups(config_), now));
    sockets_.narrow(rules_.latest());
    port_guards_.release(rules_.latest());
    clean_up();
    throw;
  }
  gro_.apply(config, interfaces);
  const auto standings_before = std::exchange(statuses_, std::move(statuses));
  const auto config_before = std::exchange(config_, config);
  interfaces_ = interfaces;
  for (auto& worker : workers_)
    worker->set_batch_wait(config_.daemon.batch_wait);
  publish(std::move(table));
  clean_ = false;
  log::info("{} rules compiled and published in {:.1f} ms", config_.rules.size(),
            std::chrono::duration<double, std::milli>(Clock::now() - compiling).count());
  log_rule_changes(standings_before, config_before);
  update_silence_alarms(now);
  sockets_.narrow(rules_.latest());
  port_guards_.release(rules_.latest());
  log_events(memberships_.leave(wanted_groups(config_), now));
  clean_up();
}

bool Relay::follow(const Interfaces& interfaces, Clock::time_point now) {
  auto followed = interfaces;
  unfollowed_.clear();
  while (!(followed == interfaces_)) {
    try {
      apply(Config(config_), followed, now);
    } catch (const InterfaceError& error) {
      if (!unfollowed_.emplace(error.interface(), Reason(error.what(), error.code())).second) throw;
      log::error("a change not followed, trying again: interface={} reason={}",
                 log::value(error.interface()), log::value(error.what()));
      followed = followed.with(error.interface(), interfaces_);
    }
  }
  return followed == interfaces;
}

void Relay::publish(std::unique_ptr<const RuleTable> table) {
  rules_.publish(std::move(table));
  for (auto& worker : workers_)
    worker->wake();
  if (!rules_.wait_until_reclaimed(grace_period))
    log::warning("a worker has not taken the new rules for {} ms", grace_period.count());
}

/// Frees what no table names and no worker uses any more.
void Relay::clean_up() {
  clean_ = false;
  if (!rules_.reclaim()) return;
  clean_ = sockets_.retire(rules_.latest(), slots_);
  free_slots();
}

void Relay::free_slots() {
  std::set<std::string> rules;
  std::set<OutputKey> outputs;
  for (const auto& rule : config_.rules) {
    rules.insert(rule.name);
    for (const auto& output : rule.outputs)
      for (std::size_t n = 0; n < output.destinations().size(); ++n)
        outputs.insert({rule.name, output.interface, output.destinations().at(n)});
  }
  slots_.rules.remove_if([&](const std::string& name, std::uint32_t slot) {
    if (rules.contains(name) || !clean_) return false;
    for (auto& worker : workers_)
      clear(worker->counters().rules[slot]);
    rates_[slot] = {};
    silence_alarms_[slot] = {};
    return true;
  });
  slots_.outputs.remove_if([&](const OutputKey& key, std::uint32_t slot) {
    if (outputs.contains(key)) return false;
    if (!std::ranges::all_of(workers_, [&](const auto& worker) {
          return at_rest(worker->counters().outputs[slot]);
        }))
      return false;
    for (auto& worker : workers_)
      clear(worker->counters().outputs[slot]);
    limiters_[slot].clear();
    return true;
  });
}

void Relay::log_rule_changes(const std::vector<RuleStatus>& before,
                             const Config& config_before) const {
  std::map<std::string_view, const RuleStatus*> known;
  for (std::size_t i = 0; i < before.size(); ++i)
    known.emplace(config_before.rules[i].name, &before[i]);
  for (std::size_t i = 0; i < statuses_.size(); ++i) {
    const auto& name_of_rule = config_.rules[i].name;
    const auto& now = statuses_[i];
    const auto then = known.find(name_of_rule);
    const bool unchanged = then != known.end() && then->second->state == now.state &&
                           then->second->reason == now.reason;
    if (unchanged) continue;
    if (now.state == RuleState::active)
      log::info("rule active: rule={}{}", log::value(name_of_rule),
                now.reason.empty() ? "" : " reason=" + log::value(now.reason.text));
    else if (now.state == RuleState::disabled)
      log::info("rule disabled: rule={}", log::value(name_of_rule));
    else
      log::warning("rule {}: rule={} reason={}", to_string(now.state), log::value(name_of_rule),
                   log::value(now.reason.text));
  }
}

void Relay::tick(Clock::time_point now) {
  sample_workers();
  sample_rates(std::chrono::duration<double>(now - sampled_at_).count());
  sampled_at_ = now;
  update_silence_alarms(now);
  refresh_igmp(now);
  sockets_.count();
  if (!clean_) clean_up();
  port_guards_.retry();
  if (const auto due = memberships_.next_retry(); due && *due <= now) {
    const auto events = memberships_.retry(now);
    log_events(events);
    retried_join_succeeded_ =
        retried_join_succeeded_ || std::ranges::any_of(events, [](const MembershipEvent& event) {
          return event.state == MembershipState::joined;
        });
  }
  if (retried_join_succeeded_) {
    apply(Config(config_), Interfaces(interfaces_), now);
    retried_join_succeeded_ = false;
  }
  follow_senders(now);
}

/// Wakes all: an idle worker must go round to be known alive, and a port whose receive failed
/// several times tries again.
void Relay::sample_workers() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    if (watchdogs_[i].sample(worker.rounds())) {
      if (watchdogs_[i].stuck())
        log::error("worker {} is stuck: no round of its loop for {} s", worker.id(),
                   WorkerWatchdog::patience);
      else
        log::notice("worker {} goes on", worker.id());
    }
    worker.wake();
  }
}

bool Relay::progresses() const noexcept {
  return std::ranges::none_of(watchdogs_, &WorkerWatchdog::stuck);
}

void Relay::sample_rates(double seconds) {
  if (seconds <= 0) return;
  for (const auto& [rule, slot] : slots_.rules.entries()) {
    const auto now = activity(slot);
    auto& rate = rates_[slot];
    rate.pps = static_cast<double>(now.datagrams - rate.datagrams_before) / seconds;
    rate.bps = 8 * static_cast<double>(now.bytes - rate.bytes_before) / seconds;
    rate.datagrams_before = now.datagrams;
    rate.bytes_before = now.bytes;
  }
}

void Relay::stop() {
  sockets_.narrow(RuleTable{});
  for (auto& worker : workers_)
    worker->request_stop();
  for (auto& worker : workers_)
    worker->stop();
  sockets_.close_all();
  log_events(memberships_.leave({}, Clock::now()));
}

}  // namespace mcr
