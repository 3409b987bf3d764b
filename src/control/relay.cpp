// The control thread's side of the relay. It decides, and the workers forward; the two meet in four
// places, none of which makes a worker wait:
//
//   the rule table   published by control, read by workers without a lock (rcu.hpp)
//   sockets          opened and closed by control, used by workers in between (socket_pool.cpp)
//   counters         written by workers, summed up by control (counters.hpp)
//   wakes            a worker that sleeps looks at the table when woken
//
// The rules that run are a function of the configuration, the interfaces, the joins that the kernel
// took, the addresses of hosts, and the senders heard lately (Running). When one of them changes,
// apply() makes the whole anew by a Reload; there is no other way to change what runs. Counters,
// sockets and joins belong to slots and keys that stay the same from table to table, so that a rule
// which stays notices nothing.
#include "mcr/control/relay.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/control/reload.hpp"
#include "mcr/control/try_or_log.hpp"
#include "mcr/control/worker_places.hpp"
#include "mcr/rules/remedies.hpp"

namespace mcr {

namespace {

/// Until refused sockets are tried again; as for joins.
constexpr std::chrono::seconds first_backoff{1};
constexpr std::chrono::seconds most_backoff{30};

void tell(const SocketRefusal& refusal) {
  const auto trouble = socket_trouble(refusal.error.code());
  const bool known =
      std::holds_alternative<TxKey>(refusal.key) && trouble != Trouble::socket_refused;
  log::error("socket refused, trying again: interface={} reason={}{}",
             log::value(refusal.interface), log::value(refusal.error.what()),
             known ? fmt::format(" do=\"{}\"", remedy(trouble)) : "");
}

/// As many of the workers' rings as locked memory has room for, at least one.
std::vector<std::unique_ptr<Ring>> make_rings(std::size_t workers) {
  std::vector<std::unique_ptr<Ring>> rings;
  while (rings.size() != workers) {
    try {
      rings.push_back(Worker::make_ring());
    } catch (const Failure& failure) {
      if (rings.empty() || failure.exit_code() != ExitCode::os) throw;
      log::warning("{} of {} workers: {}", rings.size(), workers, failure.what());
      break;
    }
  }
  return rings;
}

/// The same with [interface.NAME] under every name of the interface: the configuration may call it
/// by one in a rule, and by another there.
Config tuned_by_all_names(const Config& config, const Interfaces& interfaces) {
  auto tuned = config;
  for (const auto& [name, tuning] : config.interfaces) {
    const auto* interface = interfaces.find(name);
    if (interface == nullptr) continue;
    tuned.interfaces.emplace(interface->name, tuning);
    for (const auto& alternative : interface->alt_names)
      tuned.interfaces.emplace(alternative, tuning);
  }
  return tuned;
}

}  // namespace

Relay::Relay(const Daemon& daemon, const Options& options)
    : running_(std::make_unique<Running>()),
      rules_(std::make_unique<const RuleTable>(), place_workers(daemon, allowed_cpus()).size()),
      sockets_(workers_),
      sender_sockets_(workers_, sockets_),
      gro_(options.run_folder + "/gro"),
      silence_alarms_(slots::rules),
      loop_alarms_(slots::rules),
      fast_path_(daemon.fast_path),
      sampled_at_(Clock::now()) {
  running_->config.daemon = daemon;
  sockets_.leave_out(fast_path_.mark());
  const auto mode = options.plain ? Tx::Mode::baseline : Tx::Mode::bulk;
  const auto places = place_workers(daemon, allowed_cpus());
  auto rings = make_rings(places.size());
  for (unsigned id = 0; id < rings.size(); ++id)
    workers_.push_back(std::make_unique<Worker>(rules_, limiters_, loop_guard_, id, places[id],
                                                mode, std::move(rings[id])));
  watchdogs_.resize(workers_.size());
  loads_.resize(workers_.size());
  slots_.inspections.set_workers(workers_.size());
  slots_.pasts.set_workers(workers_.size());
}

Relay::~Relay() {
  for (auto& worker : workers_)
    worker->stop();
}

const Config& Relay::config() const noexcept {
  return running_->config;
}

const std::vector<Rule>& Relay::rules() const noexcept {
  return running_->config.rules;
}

const std::vector<RuleStatus>& Relay::statuses() const noexcept {
  return running_->statuses;
}

const Interfaces& Relay::interfaces() const noexcept {
  return running_->interfaces;
}

void Relay::start() {
  for (auto& worker : workers_)
    worker->start();
  leg_lookout_.start();
}

void Relay::refuse_restart_keys(const Config& config) const {
  const auto refuse = [](std::string_view key) {
    throw Failure(ExitCode::config,
                  fmt::format("[daemon] {} has changed: that needs a restart", key));
  };
  if (config.daemon.workers != running_->config.daemon.workers) refuse("workers");
  if (config.daemon.cpus != running_->config.daemon.cpus) refuse("cpus");
  if (config.daemon.fanout != running_->config.daemon.fanout) refuse("fanout");
  if (config.daemon.fast_path != running_->config.daemon.fast_path) refuse("fast_path");
}

void Relay::apply(const Config& config, const Interfaces& interfaces, Clock::time_point now) {
  try {
    return apply(config, interfaces, {}, now);
  } catch (const SocketsRefused& error) {
    const auto known = [this](const SocketRefusal& refusal) { return is_known(refusal); };
    if (!std::ranges::all_of(error.refusals(), known)) throw;
  }
  apply(config, interfaces, running_->refused, now);
}

void Relay::apply(const Config& config, const Interfaces& interfaces, const SocketRefusals& refused,
                  Clock::time_point now, const Commit& commit) {
  refuse_restart_keys(config);
  struct AtTheEnd {
    Relay& relay;
    ~AtTheEnd() {
      try_or_log("forget hosts", "", [this] { relay.forget_hosts(); });
      relay.retire();
    }
  } const at_the_end{*this};  // also when the reload is refused
  auto wanted = tuned_by_all_names(config, interfaces);
  host_names_.want(wanted.rules, now);
  put_addresses(wanted.rules, host_names_.book(), interfaces);
  loop_watch_.mark(wanted.rules);
  Reload reload({*running_, slots_, memberships_, rules_, workers_, sockets_, port_guards_, gro_,
                 fast_path_, leg_watch_},
                wanted, interfaces, refused, now);
  reload.join_groups();
  reload.compile();
  reload.open_sockets();
  reload.widen_filters();
  reload.prepare_fast_path();
  if (commit) commit();
  reload.publish();  // The commit point: nothing below throws.
  reload.tell_rule_changes();
  try_or_log("follow the legs of rules", "", [&] {
    leg_watch_.follow(running_->config.rules, running_->statuses, slots_.legs, Clock::now());
    leg_lookout_.set_due(leg_watch_.has_failover());
  });
  update_silence_alarms(now);
  try_or_log("hear searches", "", [this] {
    searches_.follow(running_->config.rules, running_->statuses, running_->interfaces);
  });
  try_or_log("hear services", "", [this] {
    heard_services_.follow(running_->config.rules, running_->statuses, running_->interfaces);
  });
  reload.adjust_host();
  reload.narrow_filters();
  reload.leave_groups();
  follow_join_changes(now);
}

void Relay::begin(const Config& config, const Interfaces& interfaces, Clock::time_point now,
                  const Commit& commit) {
  apply_in_part(config, interfaces, now, commit);
}

/// An address or a link may be what failed joins want.
void Relay::follow(const Interfaces& interfaces, Clock::time_point now) {
  if (running_->view == running_->view.in(interfaces)) {
    running_->interfaces = interfaces;
    return;
  }
  apply_in_part(running_->config, interfaces, now);
  memberships_.hurry(now);
  retry_joins(now);
}

void Relay::stand_by(bool standby, Clock::time_point now) {
  if (std::exchange(stands_by_, standby) == standby) return;
  for (auto& worker : workers_)
    worker->set_standby(standby);
  fast_path_.stand_by(standby);
  if (standby)
    log::warning("stands by: nothing is sent");
  else
    log::notice("stands by no more");
  if (fast_path_.runs()) apply_in_part(running_->config, running_->interfaces, now);
}

/// Tries every socket, and then the rest without those that the kernel has refused.
void Relay::apply_in_part(const Config& config, const Interfaces& interfaces, Clock::time_point now,
                          const Commit& commit) {
  SocketRefusals refused;
  for (bool done = false; !done;) {
    try {
      apply(config, interfaces, refused, now, commit);
      done = true;
    } catch (const SocketsRefused& error) {
      const auto before = refused;
      for (const auto& refusal : error.refusals()) {
        if (!is_known(refusal)) tell(refusal);
        note(refusal, refused, now);
      }
      if (refused == before) throw;
    }
  }
  sockets_backoff_ = first_backoff;
  sockets_retry_at_ = now + sockets_backoff_;
}

/// A running input must not be given up: a refusal that concerns it goes to the caller.
void Relay::note(const SocketRefusal& refusal, SocketRefusals& refused, Clock::time_point now) {
  const Reason reason(refusal.error.what(), refusal.error.code());
  if (const auto* rx = std::get_if<RxKey>(&refusal.key)) {
    if (std::ranges::find(rules_.latest().rx(), *rx, &TableRx::key) == rules_.latest().rx().end())
      refused.rx.emplace(*rx, reason);
    return;
  }
  auto key = std::get<TxKey>(refusal.key);
  refused.tx.emplace(key, reason);
  if (std::ranges::count(running_->senders.keys(), key) != 0) running_->senders.refuse(key, now);
  if (key.raw || key.source_port != sockets_.source_port()) return;
  key.source_port = 0;  // as outputs have it
  refused.tx.emplace(key, reason);
}

bool Relay::is_known(const SocketRefusal& refusal) const {
  const auto* rx = std::get_if<RxKey>(&refusal.key);
  return rx != nullptr ? running_->refused.rx.contains(*rx)
                       : running_->refused.tx.contains(std::get<TxKey>(refusal.key));
}

void Relay::retry_sockets(Clock::time_point now) {
  if (running_->refused.empty() || now < sockets_retry_at_) return;
  try {
    return apply(running_->config, running_->interfaces, {}, now);
  } catch (const SocketsRefused& error) {
    SocketRefusals refused;
    for (const auto& refusal : error.refusals())
      note(refusal, refused, now);
    sockets_backoff_ = std::min<Clock::duration>(2 * sockets_backoff_, most_backoff);
    sockets_retry_at_ = now + sockets_backoff_;
    if (refused == running_->refused) return;
  }
  apply_in_part(running_->config, running_->interfaces, now);
}

/// Frees what no table names and no worker uses any more. What is left is tried again each second.
void Relay::retire() noexcept {
  all_retired_ = false;
  try_or_log("free what an earlier table used", "", [this] {
    if (!rules_.reclaim()) return;
    ReloadPlan plan;
    plan_sockets(plan, rules_.latest(), sockets_.opened());
    all_retired_ = sockets_.retire(plan.retire_rx, plan.retire_tx, slots_);
    free_slots();
  });
}

void Relay::forget_hosts() {
  host_names_.keep(running_->config.rules);
}

/// A capture knows its rule and outputs by their slots, which stay theirs while it runs.
void Relay::free_slots() {
  std::set<std::string> rules;
  std::set<OutputKey> outputs;
  for (const auto& rule : running_->config.rules) {
    rules.insert(rule.name);
    for (const auto& output : rule.outputs)
      for (std::size_t n = 0; n < output.destinations().size(); ++n)
        outputs.insert(output_key(rule.name, output, output.destinations().at(n)));
  }
  slots_.rules.remove_if([&](const std::string& name, std::uint32_t slot) {
    if (rules.contains(name) || !all_retired_ || captures_rule(slot)) return false;
    for (auto& worker : workers_)
      clear(worker->counters().rules[slot]);
    for (auto& worker : workers_)
      worker->counters().latencies[slot].clear();
    fast_path_.forget_rule(slot);
    rates_.clear(slot);
    loop_guard_.clear(slot);
    loop_alarms_[slot] = {};
    silence_alarms_[slot] = {};
    quality_alarms_.erase(slot);
    std::erase_if(input_alarms_, [slot](const auto& alarm) { return alarm.first.first == slot; });
    return true;
  });
  slots_.outputs.remove_if([&](const OutputKey& key, std::uint32_t slot) {
    if (outputs.contains(key) || captures_output(slot)) return false;
    if (!std::ranges::all_of(workers_, [&](const auto& worker) {
          return at_rest(worker->counters().outputs[slot]);
        }))
      return false;
    for (auto& worker : workers_)
      clear(worker->counters().outputs[slot]);
    fast_path_.forget_output(slot);
    limiters_[slot].clear();
    loop_guard_.carriers().clear(slot);
    return true;
  });
}

void Relay::tick(Clock::time_point now) {
  sample_workers(now);
  fast_path_.tick();
  watch_audience();
  fast_path_.read();
  rates_.sample(slots_, workers_, fast_path_.counters(),
                std::chrono::duration<double>(now - sampled_at_).count());
  sampled_at_ = now;
  update_silence_alarms(now);
  update_loop_alarms(now);
  try_or_log("look for loops", "", [&] { watch_for_loops(now); });
  try_or_log("end searches", "", [&] { searches_.tick(now); });
  try_or_log("hear services", "", [&] { heard_services_.tick(now); });
  try_or_log("find out why GRO merges nothing", "",
             [&] { gro_watch_.tick(running_->config.rules, running_->interfaces, sockets_, now); });
  igmp_refresh_.tick(running_->config.daemon.rejoin, memberships_, running_->interfaces, now);
  sockets_.count();
  try_or_log("read what inspection has seen", "",
             [&] { stream_watch_.tick(running_->config.rules, slots_.inspections, now); });
  update_quality_alarms(now);
  leg_watch_.tick(now);
  slots_.legs.sweep();
  tell_send_refusals(now);
  look_at_next_hops();
  try_or_log("end captures", "", [this] { end_captures(); });
  if (!all_retired_) retire();
  port_guards_.retry();
  hurry_joins(now);
  retry_joins(now);
  follow_senders(now);
  retry_sockets(now);
  follow_hosts(now);
}

/// A name that is new is asked by the next turn, at the latest.
void Relay::follow_hosts(Clock::time_point now) {
  for (const auto& answer : name_lookup_.take())
    if (host_names_.take(answer, running_->config.daemon.resolve_every, now)) hosts_due_ = true;
  for (auto& name : host_names_.due(now))
    name_lookup_.ask(std::move(name));
  if (!hosts_due_) return;
  apply_in_part(running_->config, running_->interfaces, now);
  hosts_due_ = false;
}

/// The kernel tells nobody of a sysctl, nor that there is room again: so both are looked at, each
/// second while a join has failed.
void Relay::hurry_joins(Clock::time_point now) {
  if (!memberships_.next_retry()) return;
  const auto limits = read_join_limits();
  const auto leaves = memberships_.statistics().leaves;
  if (limits != join_limits_ || leaves != leaves_) memberships_.hurry(now);
  join_limits_ = limits;
  leaves_ = leaves;
}

void Relay::watch_audience() noexcept {
  if (!fast_path_.runs()) return;
  try_or_log("look who else can hear", "",
             [this] { fast_path_.watch_audience(sockets_.inodes()); });
}

/// However often it is told, it looks 20 times a second at most; what comes in between is seen by
/// the next tick.
void Relay::look_who_listens(Clock::time_point now) noexcept {
  fast_path_.take_news();
  if (now - looked_who_listens_ < std::chrono::milliseconds(50)) return;
  looked_who_listens_ = now;
  watch_audience();
}

/// Whoever asks for status may have just begun to listen, too.
void Relay::read_kernel_counters() noexcept {
  sockets_.count();
  watch_audience();
  fast_path_.read();
}

void Relay::retry_joins(Clock::time_point now) {
  if (const auto due = memberships_.next_retry(); due && *due <= now) {
    const auto events = memberships_.retry(now);
    log_events(events);
    retried_join_succeeded_ =
        retried_join_succeeded_ || std::ranges::any_of(events, [](const MembershipEvent& event) {
          return event.state == MembershipState::joined;
        });
  }
  if (!retried_join_succeeded_) return;
  apply_in_part(running_->config, running_->interfaces, now);
  retried_join_succeeded_ = false;
}

void Relay::follow_join_news(Clock::time_point now) noexcept {
  leg_lookout_.take_join_news();
  follow_join_changes(now);
}

std::string Relay::put_on_air(const std::string& rule, std::optional<std::size_t> input,
                              std::optional<std::chrono::microseconds> time,
                              Clock::time_point now) {
  auto error = leg_watch_.put_on_air(rule, input, time, now);
  follow_join_changes(now);
  return error;
}

/// Joins the inputs that are needed now, and leaves those that are not any more.
void Relay::follow_join_changes(Clock::time_point now) noexcept {
  bool changed = false;
  try_or_log("ask which inputs are needed", "", [&] { changed = leg_watch_.take_join_change(); });
  if (!changed) return;
  try_or_log("join inputs that are needed", "", [&] {
    const auto wanted = wanted_groups(
        running_->config.rules,
        [this](const Rule& rule, const Input& input) { return leg_watch_.joins(rule, input); });
    log_events(memberships_.join(wanted, running_->interfaces, now));
    log_events(memberships_.leave(wanted, now));
  });
}

void Relay::follow_senders(Clock::time_point now) {
  const auto change =
      sender_sockets_.follow(running_->senders, rules_.latest().tx(), slots_.tx, now);
  if (!change) return;
  try {
    apply(running_->config, running_->interfaces, now);
  } catch (const std::exception& error) {
    for (const auto& key : change.added)
      running_->senders.refuse(key, now);
    log::warning("no sockets for source ports of senders: error={}", log::value(error.what()));
  }
}

/// Wakes all workers: an idle one must go round to show that it is alive, and an rx slot whose
/// receive failed several times tries again.
void Relay::sample_workers(Clock::time_point now) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    if (watchdogs_[i].sample(worker.rounds())) {
      if (watchdogs_[i].stuck())
        log::error("worker {} is stuck: no round of its loop for {} s", worker.id(),
                   WorkerWatchdog::patience);
      else
        log::notice("worker {} goes on", worker.id());
    }
    loads_[i].sample(thread_usage(worker.thread()), now);
    worker.wake();
  }
}

void Relay::tell_send_refusals(Clock::time_point now) {
  std::vector<const CounterBlock*> counters;
  for (const auto& worker : workers_)
    counters.push_back(&worker->counters());
  for (const auto& line : send_refusals_.report(slots_.outputs, counters, now))
    log::warning("{}", line);
}

void Relay::look_at_next_hops() {
  if (std::exchange(next_hops_watched_, generation()) != generation())
    next_hops_.watch(running_->config.rules, running_->statuses, running_->interfaces);
  const auto sent = [this](const OutputKey& key) {
    std::uint64_t sum = 0;
    if (const auto slot = slots_.outputs.find(key))
      for (const auto& worker : workers_)
        sum += worker->counters().outputs[*slot].tx_datagrams.get();
    return sum;
  };
  try_or_log("look at next hops", "", [&] {
    for (const auto& [dead, interface, way, reason] : next_hops_.tick(sent)) {
      if (dead)
        log::warning(
            "output reaches nobody: interface={} address={} reason={} do={}", interface,
            way.destination, log::value(reason.text),
            log::value(remedy(next_hop_trouble(reason.error), interface, way.destination.str())));
      else
        log::notice("output reaches its next hop again: interface={} address={}", interface,
                    way.destination);
    }
  });
}

bool Relay::progresses() const noexcept {
  return std::ranges::none_of(watchdogs_, &WorkerWatchdog::stuck);
}

RuleActivity Relay::activity_of(std::size_t rule) const {
  const auto slot = *slots_.rules.find(running_->config.rules[rule].name);
  auto activity = mcr::activity_of(workers_, fast_path_.counters(), slot);
  activity.pps = rates_.of(slot).pps;
  activity.bps = rates_.of(slot).bps;
  return activity;
}

const StreamSight* Relay::stream_of(std::size_t rule, std::size_t input) const {
  return stream_watch_.find(running_->config.rules[rule].name, input);
}

std::vector<ExternalDropCount> Relay::external_drops(const std::vector<LinkStats>& links) const {
  std::set<std::string> inputs;
  std::set<std::string> outputs;
  const auto add = [this](std::set<std::string>& names, const std::string& name) {
    if (const auto* interface = running_->interfaces.find(name)) names.insert(interface->name);
  };
  for (const auto& rule : running_->config.rules) {
    for (const auto& input : rule.inputs)
      add(inputs, input.interface);
    for (const auto& output : rule.outputs)
      add(outputs, output.interface);
  }
  std::vector<ExternalDropCount> losses;
  for (const auto& link : links) {
    if (inputs.contains(link.name)) {
      losses.push_back({link.name, DropPlace::nic, link.rx_missed});
      const auto counted = sockets_.counted().find(link.name);
      losses.push_back({link.name, DropPlace::socket,
                        counted == sockets_.counted().end() ? 0 : counted->second.dropped});
    }
    if (outputs.contains(link.name)) {
      losses.push_back({link.name, DropPlace::discipline, link.qdisc_drops});
      losses.push_back({link.name, DropPlace::driver, link.tx_dropped});
    }
  }
  return losses;
}

void Relay::stop() {
  leg_lookout_.stop();
  fast_path_.stop();
  ReloadPlan plan;
  plan_sockets(plan, RuleTable{}, sockets_.opened());
  sockets_.narrow(plan.narrow);
  for (auto& worker : workers_)
    worker->request_stop();
  for (auto& worker : workers_)
    worker->stop();
  sockets_.close_all();
  log_events(memberships_.leave({}, Clock::now()));
}

}  // namespace mcr
