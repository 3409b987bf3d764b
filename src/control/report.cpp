// The relay in JSON, for `mcr status --json`: names and meanings are the contract's.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "mcr/control/relay.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// {REASON: n}, in the order of `names`.
template <typename Drops, typename Names>
json describe_drops(const Drops& drops, const Names& names) {
  json object;
  for (std::size_t i = 0; i < names.size(); ++i)
    object[std::string(names[i])] = drops[i];
  return object;
}

template <typename Drops, typename Names>
void add_drops(json& object, const Drops& drops, const Names& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto& sum = object[std::string(names[i])];
    sum = (sum.is_null() ? 0 : sum.get<std::uint64_t>()) + drops.values()[i].get();
  }
}

json describe_ports(const Destinations& destinations) {
  if (destinations.ports == 1) return destinations.first.port;
  return destinations.port_str();
}

json describe(std::optional<std::uint64_t> number) {
  return number ? json(*number) : json();
}

json describe(const Input& input) {
  json sources = json::array();
  for (const auto& source : input.sources)
    sources.push_back(source.str());
  return {
      {"interface", input.interface},
      {input.destination.is_multicast() ? "group" : "address", input.destinations().address_str()},
      {"port", describe_ports(input.destinations())},
      {"sources", std::move(sources)},
      {"vlan", input.vlan != 0 ? json(input.vlan) : json()},
      {"local", input.local}};
}

json describe(const Ttl& ttl) {
  switch (ttl.mode) {
    case Ttl::Mode::fixed:
      return ttl.value;
    case Ttl::Mode::preserve:
      return "preserve";
    case Ttl::Mode::decrement:
      return "decrement";
    case Ttl::Mode::system:
      break;
  }
  return {};
}

json describe(const std::optional<Expectation>& expect) {
  if (!expect) return nullptr;
  return {{"min_pps", expect->min_pps},
          {"silent_after_s", std::chrono::duration<double>(expect->silent_after).count()}};
}

json describe(const Source& source) {
  switch (source.mode) {
    case Source::Mode::preserve:
      return "preserve";
    case Source::Mode::address:
      return source.address.str();
    case Source::Mode::interface:
      break;
  }
  return "interface";
}

json describe_source_port(const Output& output, std::uint16_t ours) {
  if (output.source_port != 0) return output.source_port;
  return output.source.mode == Source::Mode::preserve ? json("preserve") : json(ours);
}

json describe(const Dscp& dscp) {
  return dscp.preserve ? json("preserve") : json(dscp.value);
}

std::string_view state_of(const Interface* interface) {
  if (interface == nullptr) return "missing";
  return interface->up ? "up" : "down";
}

std::string_view gro_state(const std::string& interface) {
  const auto setting = read_gro(interface);
  return setting && setting->merging && setting->udp_forwarding ? "on" : "off";
}

/// The sum over all workers of what `counter_of` finds in each block.
template <typename CounterOf>
std::uint64_t sum(const SocketPool::Workers& workers, CounterOf&& counter_of) {
  return std::accumulate(workers.begin(), workers.end(), std::uint64_t{0},
                         [&](std::uint64_t total, const auto& worker) {
                           return total + counter_of(worker->counters()).get();
                         });
}

}  // namespace

RuleTotals Relay::totals_of(const Rule& rule) const {
  const auto slot = *slots_.rules.find(rule.name);
  RuleTotals totals;
  for (const auto& worker : workers_)
    add(totals, worker->counters().rules[slot]);
  return totals;
}

OutputTotals Relay::totals_of(const Rule& rule, const Output& output) const {
  const auto destinations = output.destinations();
  OutputTotals totals;
  for (std::size_t n = 0; n < destinations.size(); ++n) {
    const auto slot = *slots_.outputs.find({rule.name, output.interface, destinations.at(n)});
    for (const auto& worker : workers_)
      add(totals, worker->counters().outputs[slot]);
  }
  return totals;
}

json Relay::report_output(const Rule& rule, std::size_t at) const {
  const auto& output = rule.outputs[at];
  const auto totals = totals_of(rule, output);
  const auto& status = statuses_[static_cast<std::size_t>(&rule - config_.rules.data())];
  const auto& reason = status.output_reasons[at];
  return {{"interface", output.interface},
          {output.destination.is_multicast() ? "group" : "address",
           output.destinations().address_str()},
          {"port", describe_ports(output.destinations())},
          {"ttl", describe(output.ttl)},
          {"max_pps", output.limit.pps != 0 ? json(output.limit.pps) : json()},
          {"max_bps", output.limit.bps != 0 ? json(output.limit.bps) : json()},
          {"dscp", describe(output.dscp)},
          {"source", describe(output.source)},
          {"source_port", describe_source_port(output, sockets_.source_port())},
          {"loopback", output.loopback},
          {"state", reason.empty() ? "up" : "waiting"},
          {"reason", reason.text},
          {"matched", totals.matched},
          {"tx_datagrams", totals.tx_datagrams},
          {"tx_bytes", totals.tx_bytes},
          {"in_flight", totals.in_flight},
          {"zerocopy", totals.zerocopy},
          {"copied", totals.copied},
          {"drops", describe_drops(totals.drops, output_drop_names)}};
}

RuleState Relay::state_of_rule(std::size_t at, std::uint32_t slot) const {
  const bool silent = config_.rules[at].expect && silence_alarms_[slot].silent();
  const auto state = statuses_[at].state;
  return silent && state == RuleState::active ? RuleState::silent : state;
}

/// Of a rule that cannot run in full: why an interface of its is not what it could be, if that is
/// it.
Reason Relay::reason_of_rule(std::size_t at) const {
  const auto& reason = statuses_[at].reason;
  if (reason.empty()) return reason;
  const auto& rule = config_.rules[at];
  for (const auto& input : rule.inputs)
    if (const auto why = unfollowed_.find(input.interface); why != unfollowed_.end())
      return why->second;
  for (const auto& output : rule.outputs)
    if (const auto why = unfollowed_.find(output.interface); why != unfollowed_.end())
      return why->second;
  return reason;
}

json Relay::report_rule(std::size_t at, Clock::time_point now) const {
  const auto& rule = config_.rules[at];
  const auto slot = *slots_.rules.find(rule.name);
  json inputs = json::array();
  for (const auto& input : rule.inputs)
    inputs.push_back(describe(input));
  json outputs = json::array();
  for (std::size_t i = 0; i < rule.outputs.size(); ++i)
    outputs.push_back(report_output(rule, i));

  const auto totals = totals_of(rule);
  const auto sum = activity(slot);
  json age;
  json source;
  if (sum.last_seen) {
    age = std::max(0.0, std::chrono::duration<double>(now - *sum.last_seen).count());
    source = fmt::format("{}", sum.last_source);
  }
  const auto state = state_of_rule(at, slot);
  auto reason = reason_of_rule(at);
  if (state == RuleState::silent) {
    const auto silence = silence_alarms_[slot].reason(*rule.expect, hearing(at, slot, now));
    reason = reason.empty() ? Reason(silence) : reason.after(silence + "; ");
  }
  return {{"name", rule.name},
          {"state", to_string(state)},
          {"reason", std::move(reason.text)},
          {"comment", rule.comment},
          {"expect", describe(rule.expect)},
          {"allow_loop", rule.allow_loop},
          {"input", inputs.front()},
          {"inputs", std::move(inputs)},
          {"rx_datagrams", totals.rx_datagrams},
          {"rx_bytes", totals.rx_bytes},
          {"rate_pps", rates_[slot].pps},
          {"rate_bps", rates_[slot].bps},
          {"last_seen_s", std::move(age)},
          {"last_source", std::move(source)},
          {"drops", describe_drops(totals.drops, input_drop_names)},
          {"outputs", std::move(outputs)}};
}

json Relay::report_workers() const {
  json result = json::array();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto& worker = workers_[i];
    const auto& counters = worker->counters().worker;
    result.push_back({{"id", worker->id()},
                      {"state", watchdogs_[i].stuck() ? "stuck" : "running"},
                      {"cpu", worker->cpu() ? json(*worker->cpu()) : json()},
                      {"rx_datagrams", counters.rx_datagrams.get()},
                      {"tx_datagrams", counters.tx_datagrams.get()},
                      {"batches", counters.batches.get()}});
  }
  return result;
}

json Relay::report_interfaces(const std::vector<LinkStats>& links) const {
  std::set<std::string> names;
  for (const auto& rule : config_.rules) {
    if (!rule.enabled) continue;
    for (const auto& input : rule.inputs)
      names.insert(input.interface);
    for (const auto& output : rule.outputs)
      names.insert(output.interface);
  }
  for (const auto& [name, counted] : sockets_.counted())
    names.insert(name);
  const auto granted = sockets_.granted();

  json result = json::array();
  for (const auto& name : names) {
    const auto* interface = interfaces_.find(name);
    const auto buffers = granted.find(name);
    const auto counted = sockets_.counted().find(name);
    const auto received = sockets_.received(name);
    const auto link = std::ranges::find(links, name, &LinkStats::name);
    const bool linked = link != links.end();
    const auto known = config_.interfaces.find(name);
    const auto tuning = known == config_.interfaces.end() ? InterfaceTuning{} : known->second;
    const bool is_ring = tuning.ingress == IngressMode::mmap;
    result.push_back(
        {{"name", name},
         {"index", interface != nullptr ? json(interface->index) : json()},
         {"state", state_of(interface)},
         {"mtu", interface != nullptr ? json(interface->mtu) : json()},
         {"gro", gro_state(name)},
         {"receive_buffer", buffers != granted.end() ? buffers->second.receive : 0},
         {"receive_buffer_asked", is_ring ? json() : describe(tuning.receive_buffer)},
         {"send_buffer", buffers != granted.end() ? buffers->second.send : 0},
         {"send_buffer_asked", describe(tuning.send_buffer)},
         {"rx_frames", received.frames},
         {"rx_datagrams", received.datagrams},
         {"kernel_drops", counted != sockets_.counted().end() ? counted->second.dropped : 0},
         {"link_rx_missed", linked ? link->rx_missed + link->rx_dropped : 0},
         {"link_tx_dropped", linked ? link->tx_dropped + link->qdisc_drops : 0}});
  }
  return result;
}

json Relay::report_joins() const {
  const auto statistics = memberships_.statistics();
  return {{"joins_attempted", statistics.joins_attempted},
          {"joins_succeeded", statistics.joins_succeeded},
          {"joins_failed", statistics.joins_failed},
          {"leaves", statistics.leaves},
          {"helper_sockets", statistics.helper_sockets}};
}

json Relay::report_membership() const {
  json groups = json::array();
  for (const auto& [group, membership] : memberships_.all())
    groups.push_back({{"interface", group.interface},
                      {"group", group.group.str()},
                      {"source", group.source ? json(group.source.str()) : json()},
                      {"state", to_string(membership.state)},
                      {"error", membership.error != 0 ? errno_text(membership.error) : ""}});
  auto membership = report_joins();
  membership["groups"] = std::move(groups);
  return membership;
}

json Relay::report_totals() const {
  json drops;
  json tx_drops;
  for (const auto& worker : workers_) {
    add_drops(drops, worker->counters().worker.drops, input_drop_names);
    add_drops(tx_drops, worker->counters().worker.tx_drops, output_drop_names);
  }
  std::uint64_t kernel_drops = 0;
  for (const auto& [name, counted] : sockets_.counted())
    kernel_drops += counted.dropped;
  const auto total = [&](Counter WorkerCounters::*member) {
    return sum(workers_,
               [&](const CounterBlock& block) -> const Counter& { return block.worker.*member; });
  };
  return {{"rx_datagrams", total(&WorkerCounters::rx_datagrams)},
          {"matched", total(&WorkerCounters::matched)},
          {"unmatched", total(&WorkerCounters::unmatched)},
          {"drops", std::move(drops)},
          {"kernel_drops", kernel_drops},
          {"tx_datagrams", total(&WorkerCounters::tx_datagrams)},
          {"tx_drops", std::move(tx_drops)}};
}

json Relay::status(Clock::time_point now, const std::vector<LinkStats>& links) {
  sockets_.count();
  json rules = json::array();
  for (std::size_t i = 0; i < config_.rules.size(); ++i)
    rules.push_back(report_rule(i, now));
  return {{"generation", rules_.latest().generation()}, {"workers", report_workers()},
          {"interfaces", report_interfaces(links)},     {"rules", std::move(rules)},
          {"membership", report_membership()},          {"totals", report_totals()}};
}

std::string Relay::summary() const {
  if (statuses_.empty()) return "no rules: idle";
  std::map<RuleState, std::size_t> states;
  for (const auto& status : statuses_)
    ++states[status.state];
  std::string text;
  for (const auto& [state, count] : states)
    text += fmt::format("{}{}{} {}", text.empty() ? "" : ", ", count, text.empty() ? " rules" : "",
                        to_string(state));
  return text;
}

std::string Relay::totals() {
  sockets_.count();
  const auto report = report_totals();
  std::string text = fmt::format(
      "received {} datagrams, matched {}, unmatched {}, sent {}, kernel drops {}",
      report["rx_datagrams"].dump(), report["matched"].dump(), report["unmatched"].dump(),
      report["tx_datagrams"].dump(), report["kernel_drops"].dump());
  for (const auto* kind : {"drops", "tx_drops"})
    for (const auto& [reason, count] : report[kind].items())
      if (count != 0) text += fmt::format(", {} {}", reason, count.dump());
  return text;
}

}  // namespace mcr
