// One function a kind of thing; each reads the relay's views and copies. Texts and names are left
// as they are, and every count is set: only a reader of another daemon's answer meets unknown ones.
#include "mcr/status/collect.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/config/config.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/rules/send_refusal.hpp"
#include "mcr/status/leg_views.hpp"

namespace mcr::status {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<Worker> collect_workers(const Relay& relay) {
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < relay.workers().size(); ++i) {
    const auto& worker = *relay.workers()[i];
    const auto& counters = worker.counters().worker;
    workers.push_back({.id = worker.id(),
                       .stuck = relay.is_stuck(i),
                       .polls = relay.config().daemon.idle == Idle::poll,
                       .cpu = worker.cpu(),
                       .last_cpu = relay.load_of(i).last_cpu(),
                       .cpu_use = relay.load_of(i).share(),
                       .rx_datagrams = counters.rx_datagrams.get(),
                       .tx_datagrams = counters.tx_datagrams.get(),
                       .batches = counters.batches.get()});
  }
  return workers;
}

/// The kernel's names of those that rules use now, and those that lost something before.
std::set<std::string> interfaces_to_show(const Relay& relay) {
  std::set<std::string> names;
  const auto add = [&](const std::string& name) {
    const auto* const host = relay.interfaces().find(name);
    names.insert(host != nullptr ? host->name : name);
  };
  for (const auto& rule : relay.config().rules) {
    if (!rule.enabled) continue;
    for (const auto& input : rule.inputs)
      add(input.interface);
    for (const auto& output : rule.outputs)
      add(output.interface);
  }
  for (const auto& [name, counted] : relay.sockets().counted())
    names.insert(name);
  return names;
}

InterfaceState state_of(const mcr::Interface* interface) {
  if (interface == nullptr) return InterfaceState::missing;
  return interface->up ? InterfaceState::up : InterfaceState::down;
}

void add_gro(Interface& interface) {
  const auto setting = read_gro(interface.name);
  interface.gro = setting && setting->merging && setting->udp_forwarding;
  if (setting && setting->wait)
    interface.gro_wait_ns = static_cast<std::uint64_t>(setting->wait->count());
}

/// The value of a map, or a value-initialized one.
template <typename Map>
typename Map::mapped_type value_of(const Map& map, const std::string& key) {
  const auto known = map.find(key);
  return known == map.end() ? typename Map::mapped_type{} : known->second;
}

std::vector<Interface> collect_interfaces(const Relay& relay, const std::vector<LinkStats>& links) {
  const auto granted = relay.sockets().granted();
  std::vector<Interface> interfaces;
  for (const auto& name : interfaces_to_show(relay)) {
    const auto* const host = relay.interfaces().find(name);
    const auto tuning = tuning_of(relay.config().interfaces, name);
    const auto buffers = value_of(granted, name);
    const auto received = relay.sockets().received(name);
    const auto link = std::ranges::find(links, name, &LinkStats::name);
    const auto lost = link == links.end() ? LinkStats{} : *link;
    Interface interface;
    interface.name = name;
    interface.state = state_of(host);
    add_gro(interface);
    if (host != nullptr) {
      interface.alt_names = host->alt_names;
      interface.index = host->index;
      interface.mtu = host->mtu;
      if (const auto why = relay.gro_watch().why(host->index))
        interface.gro_reason = explained(*why, host->name);
    }
    interface.receive_buffer = buffers.receive;
    if (tuning.ingress != IngressMode::mmap) interface.receive_buffer_asked = tuning.receive_buffer;
    if (buffers.ring != 0) interface.receive_ring = buffers.ring;
    interface.send_buffer = buffers.send;
    interface.send_buffer_asked = tuning.send_buffer;
    const auto kernel = relay.fast_path().received(name);
    interface.rx_frames = received.frames + kernel.frames;
    interface.rx_datagrams = received.datagrams + kernel.datagrams;
    interface.kernel_drops = value_of(relay.sockets().counted(), name).dropped;
    interface.link_rx_missed = lost.rx_missed;
    interface.link_rx_dropped = lost.rx_dropped;
    interface.link_tx_dropped = lost.tx_dropped + lost.qdisc_drops;
    interfaces.push_back(std::move(interface));
  }
  return interfaces;
}

/// A block of destinations has many next hops: the first reason stands for all.
void collect_next_hops(const Relay& relay, const std::string& rule, Output& output) {
  std::uint64_t unreachable = 0;
  const auto destinations = output.config.destinations();
  const bool has_next_hop = !output.config.destination.is_multicast();
  for (std::size_t n = 0; has_next_hop && n < destinations.size(); ++n) {
    const auto key = output_key(rule, output.config, destinations.at(n));
    unreachable += relay.next_hops().unreachable(key);
    if (output.reason.empty()) output.reason = relay.next_hops().reason(key);
  }
  output.unreachable = unreachable;
}

std::optional<Carrier> collect_carrier(const Relay& relay, std::size_t rule, std::size_t at,
                                       Clock::time_point now) {
  const auto other = relay.carrier_of(rule, at);
  if (!other) return std::nullopt;
  const std::chrono::duration<double> age =
      now.time_since_epoch() - std::chrono::nanoseconds(other->last_ns);
  return Carrier{other->source.port == 0 ? "" : fmt::format("{}", other->source),
                 std::max(0.0, age.count())};
}

Output collect_output(const Relay& relay, std::size_t rule, std::size_t at, Reason reason,
                      Clock::time_point now) {
  const auto totals = relay.totals_of(rule, at);
  Output output{.config = relay.config().rules[rule].outputs[at],
                .state = reason.empty() ? OutputState::up : OutputState::waiting,
                .reason = std::move(reason),
                .matched = totals.matched,
                .tx_datagrams = totals.tx_datagrams,
                .tx_bytes = totals.tx_bytes,
                .in_flight = totals.in_flight,
                .zerocopy = totals.zerocopy,
                .copied = totals.copied,
                .unreachable = {},
                .drops = {totals.drops},
                .error = describe_refusal(totals.last_refusal),
                .carrier = collect_carrier(relay, rule, at, now)};
  collect_next_hops(relay, relay.config().rules[rule].name, output);
  if (output.config.source_port == 0 && output.config.source.mode != Source::Mode::preserve)
    output.config.source_port = relay.sockets().source_port();
  return output;
}

std::optional<Stream> collect_stream(const Relay& relay, std::size_t rule, std::size_t input) {
  const auto* sight = relay.stream_of(rule, input);
  if (sight == nullptr) return std::nullopt;
  const auto now_ns = std::chrono::nanoseconds(sight->now_at.time_since_epoch()).count();
  auto stream =
      make_stream(sight->now, static_cast<std::uint64_t>(now_ns), sight->before,
                  std::chrono::duration<double>(sight->now_at - sight->before_at).count());
  stream.lost_for_good = sight->lost_for_good;
  return stream;
}

void show_legs(const LegWatch::Watched& watched, Clock::time_point now, Rule& rule) {
  const bool merges = watched.rule.merge.has_value();
  if (merges)
    rule.merge = make_merge(watched, now);
  else
    rule.failover = make_failover(watched, now);
  const auto bps = stream_bps(watched, rule.rate_bps.value_or(0), now);
  for (std::size_t i = 0; i < watched.numbers.size(); ++i)
    if (merges)
      rule.legs.emplace_back(make_leg(watched, i, now, bps));
    else
      rule.standing.emplace_back(make_failover_input(watched, i, now));
}

Rule collect_rule(const Relay& relay, std::size_t at, Clock::time_point now) {
  const auto& config = relay.config().rules[at];
  const auto totals = relay.totals_of(at);
  const auto activity = relay.activity_of(at);
  auto status = relay.status_of(at, now);
  Rule rule{.name = config.name,
            .state = status.state,
            .reason = std::move(status.reason),
            .comment = config.comment,
            .path = relay.path_of(at).kernel ? "kernel" : "worker",
            .path_reason = relay.path_of(at).reason,
            .expect = config.expect,
            .allow_loop = config.allow_loop,
            .inputs = config.inputs,
            .rx_datagrams = totals.rx_datagrams,
            .rx_bytes = totals.rx_bytes,
            .rate_pps = activity.pps,
            .rate_bps = activity.bps,
            .last_seen_s = {},
            .last_source = {},
            .drops = {totals.drops},
            .outputs = {}};
  if (activity.last_seen) {
    const std::chrono::duration<double> age = now - *activity.last_seen;
    rule.last_seen_s = std::max(0.0, age.count());
    rule.last_source = activity.last_source;
  }
  rule.reflector = config.reflector;
  if (config.inspect) rule.latency = relay.latency_of(at);
  for (std::size_t i = 0; config.inspect && i < config.inputs.size(); ++i)
    rule.streams.push_back(collect_stream(relay, at, i));
  relay.leg_watch().visit(rule.name,
                          [&](const LegWatch::Watched& watched) { show_legs(watched, now, rule); });
  for (std::size_t i = 0; i < config.outputs.size(); ++i)
    rule.outputs.push_back(collect_output(relay, at, i, std::move(status.output_reasons[i]), now));
  return rule;
}

/// How urgent a state is: the lowest rank needs attention first.
int rank(const std::optional<RuleState>& state) {
  constexpr std::array order{RuleState::failed, RuleState::waiting, RuleState::looping,
                             RuleState::silent, RuleState::active,  RuleState::disabled};
  return static_cast<int>(std::ranges::find(order, state) - order.begin());
}

void add_rule(Reflector& reflector, const Rule& rule) {
  if (!reflector.state || rank(rule.state) < rank(reflector.state)) {
    reflector.state = rule.state;
    reflector.reason = rule.reason;
  }
  const auto& from = rule.inputs.front().interface;
  for (const auto& output : rule.outputs) {
    const auto& to = output.config.interface;
    const auto known = std::ranges::find_if(reflector.ways, [&](const Reflector::Way& way) {
      return way.from == from && way.to == to;
    });
    if (known == reflector.ways.end())
      reflector.ways.push_back({from, to, output.tx_datagrams});
    else
      *known->datagrams += *output.tx_datagrams;
  }
}

void add_services(Reflector& reflector, const HeardServices& heard, Clock::time_point now) {
  for (const auto& service : heard.of(reflector.name, now))
    reflector.services.push_back(
        {service.interface, service.type, service.instance, fmt::format("{}", service.from),
         static_cast<double>(service.age.count()), static_cast<double>(service.lives.count())});
  reflector.services_forgotten = heard.forgotten(reflector.name);
}

std::vector<Reflector> collect_reflectors(const Relay& relay, const std::vector<Rule>& rules,
                                          Clock::time_point now) {
  std::vector<Reflector> reflectors;
  for (const auto& config : relay.config().reflectors) {
    Reflector reflector;
    reflector.name = config.name;
    reflector.kind = to_string(config.kind);
    reflector.comment = config.comment;
    reflector.interfaces = config.interfaces;
    const auto searches = relay.searches_of(config.name);
    reflector.searches = searches.searches;
    reflector.answers = searches.answers;
    reflector.left_out = searches.left_out;
    add_services(reflector, relay.heard_services(), now);
    for (const auto& rule : rules)
      if (rule.reflector == config.name) add_rule(reflector, rule);
    reflectors.push_back(std::move(reflector));
  }
  return reflectors;
}

std::vector<Membership> collect_memberships(const Relay& relay) {
  std::vector<Membership> memberships;
  for (auto& [group, membership] : relay.memberships().all())
    memberships.push_back({group, membership.state,
                           membership.error != 0
                               ? Reason(errno_text(membership.error), membership.error)
                               : Reason()});
  return memberships;
}

Joins collect_joins(const Relay& relay) {
  const auto statistics = relay.memberships().statistics();
  return {.joins_attempted = statistics.joins_attempted,
          .joins_succeeded = statistics.joins_succeeded,
          .joins_failed = statistics.joins_failed,
          .leaves = statistics.leaves,
          .helper_sockets = statistics.helper_sockets};
}

Totals collect_totals(const Relay& relay) {
  const auto totals = relay.totals();
  return {.rx_datagrams = totals.rx_datagrams,
          .matched = totals.matched,
          .unmatched = totals.unmatched,
          .drops = {totals.drops},
          .kernel_drops = totals.kernel_drops,
          .tx_datagrams = totals.tx_datagrams,
          .tx_drops = {totals.tx_drops},
          .capture_missed = relay.capture_missed()};
}

FastPath collect_fast_path(const Relay& relay) {
  const auto& sums = relay.fast_path().counters().sums;
  return {.runs = relay.fast_path().runs(),
          .reason = relay.fast_path().reason(),
          .rx_datagrams = sums.rx_datagrams,
          .tx_datagrams = sums.tx_datagrams};
}

}  // namespace

Status collect(Relay& relay, Process process, const std::vector<LinkStats>& links,
               Clock::time_point now) {
  relay.read_kernel_counters();
  Status status{.process = std::move(process),
                .workers = collect_workers(relay),
                .interfaces = collect_interfaces(relay, links),
                .rules = {},
                .joins = collect_joins(relay),
                .memberships = collect_memberships(relay),
                .totals = collect_totals(relay),
                .fast_path = collect_fast_path(relay),
                .digest = {}};
  status.rules.reserve(relay.config().rules.size());
  for (std::size_t i = 0; i < relay.config().rules.size(); ++i)
    status.rules.push_back(collect_rule(relay, i, now));
  status.reflectors = collect_reflectors(relay, status.rules, now);
  return status;
}

}  // namespace mcr::status
