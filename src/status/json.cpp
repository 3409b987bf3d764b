// Each thing has its keys side by side for both directions: plain counts in a table, the rest in a
// pair of functions, write_...() and read_...(), that stand together.
#include "mcr/status/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "digest_json.hpp"
#include "expect_json.hpp"
#include "header_json.hpp"
#include "json_values.hpp"
#include "mcr/config/sources.hpp"

namespace mcr::status {

namespace {

using nlohmann::json;

constexpr std::array process_counts{
    CountKey<Process>{"pid", &Process::pid}, CountKey<Process>{"generation", &Process::generation},
    CountKey<Process>{"rules_elsewhere", &Process::rules_elsewhere}};
constexpr std::array host_counts{CountKey<Process>{"softnet_dropped", &Process::softnet_dropped},
                                 CountKey<Process>{"softnet_squeezed", &Process::softnet_squeezed}};
constexpr std::array worker_counts{CountKey<Worker>{"id", &Worker::id},
                                   CountKey<Worker>{"cpu", &Worker::cpu},
                                   CountKey<Worker>{"last_cpu", &Worker::last_cpu},
                                   CountKey<Worker>{"rx_datagrams", &Worker::rx_datagrams},
                                   CountKey<Worker>{"tx_datagrams", &Worker::tx_datagrams},
                                   CountKey<Worker>{"batches", &Worker::batches}};
constexpr std::array interface_counts{
    CountKey<Interface>{"index", &Interface::index},
    CountKey<Interface>{"mtu", &Interface::mtu},
    CountKey<Interface>{"gro_wait_ns", &Interface::gro_wait_ns},
    CountKey<Interface>{"receive_buffer", &Interface::receive_buffer},
    CountKey<Interface>{"receive_buffer_asked", &Interface::receive_buffer_asked},
    CountKey<Interface>{"receive_ring", &Interface::receive_ring},
    CountKey<Interface>{"send_buffer", &Interface::send_buffer},
    CountKey<Interface>{"send_buffer_asked", &Interface::send_buffer_asked},
    CountKey<Interface>{"rx_frames", &Interface::rx_frames},
    CountKey<Interface>{"rx_datagrams", &Interface::rx_datagrams},
    CountKey<Interface>{"kernel_drops", &Interface::kernel_drops},
    CountKey<Interface>{"link_rx_missed", &Interface::link_rx_missed},
    CountKey<Interface>{"link_rx_dropped", &Interface::link_rx_dropped},
    CountKey<Interface>{"link_tx_dropped", &Interface::link_tx_dropped}};
constexpr std::array output_counts{CountKey<Output>{"matched", &Output::matched},
                                   CountKey<Output>{"tx_datagrams", &Output::tx_datagrams},
                                   CountKey<Output>{"tx_bytes", &Output::tx_bytes},
                                   CountKey<Output>{"in_flight", &Output::in_flight},
                                   CountKey<Output>{"zerocopy", &Output::zerocopy},
                                   CountKey<Output>{"copied", &Output::copied},
                                   CountKey<Output>{"unreachable", &Output::unreachable}};
constexpr std::array rule_counts{CountKey<Rule>{"rx_datagrams", &Rule::rx_datagrams},
                                 CountKey<Rule>{"rx_bytes", &Rule::rx_bytes}};
constexpr std::array reflector_counts{
    CountKey<Reflector>{"searches", &Reflector::searches},
    CountKey<Reflector>{"answers", &Reflector::answers},
    CountKey<Reflector>{"left_out", &Reflector::left_out},
    CountKey<Reflector>{"services_forgotten", &Reflector::services_forgotten}};
constexpr std::array fast_path_counts{CountKey<FastPath>{"rx_datagrams", &FastPath::rx_datagrams},
                                      CountKey<FastPath>{"tx_datagrams", &FastPath::tx_datagrams}};
constexpr std::array join_counts{CountKey<Joins>{"joins_attempted", &Joins::joins_attempted},
                                 CountKey<Joins>{"joins_succeeded", &Joins::joins_succeeded},
                                 CountKey<Joins>{"joins_failed", &Joins::joins_failed},
                                 CountKey<Joins>{"leaves", &Joins::leaves},
                                 CountKey<Joins>{"helper_sockets", &Joins::helper_sockets}};
constexpr std::array total_counts{CountKey<Totals>{"rx_datagrams", &Totals::rx_datagrams},
                                  CountKey<Totals>{"matched", &Totals::matched},
                                  CountKey<Totals>{"unmatched", &Totals::unmatched},
                                  CountKey<Totals>{"kernel_drops", &Totals::kernel_drops},
                                  CountKey<Totals>{"tx_datagrams", &Totals::tx_datagrams},
                                  CountKey<Totals>{"capture_missed", &Totals::capture_missed}};

/// A number, or "5000-5010".
json write_ports(const Destinations& destinations) {
  if (destinations.ports == 1) return destinations.first.port;
  return destinations.port_str();
}
/// The first one, and how many; none: not to be read.
std::pair<std::uint16_t, std::uint32_t> read_ports(const json& value) {
  if (const auto port = read_small<std::uint16_t>(value)) return {*port, 1};
  const auto text = read_text(value);
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  const auto* const end = text.data() + text.size();
  const auto dash = std::from_chars(text.data(), end, first);
  if (dash.ec != std::errc() || dash.ptr == end || *dash.ptr != '-') return {0, 0};
  const auto rest = std::from_chars(dash.ptr + 1, end, last);
  if (rest.ec != std::errc() || rest.ptr != end || last < first) return {0, 0};
  return {first, last - first + 1U};
}

/// The keys that an Input and an mcr::Output share: "interface", "group" or "address", "port".
void write_place(json& object, const auto& endpoint) {
  const auto destinations = endpoint.destinations();
  object["interface"] = endpoint.interface;
  object[endpoint.destination.is_multicast() ? "group" : "address"] = destinations.address_str();
  object["port"] = write_ports(destinations);
}
void read_place(const json& object, auto& endpoint) {
  constexpr unsigned most_bits = 31;
  endpoint.interface = read_text(at(object, "interface"));
  const auto& group = at(object, "group");
  const auto block = Prefix::parse(read_text(group.is_null() ? at(object, "address") : group));
  const auto [port, ports] = read_ports(at(object, "port"));
  if (ports == 0) return;
  endpoint.port = port;
  endpoint.ports = ports;
  if (!block) return;
  const auto free_bits = Prefix::width(block->first().family()) - block->bits();
  if (free_bits > most_bits) return;
  endpoint.destination = block->first();
  endpoint.addresses = 1U << free_bits;
}

json write_input(const Input& input) {
  json sources = json::array();
  for (auto& source : source_texts(input))
    sources.push_back(std::move(source));
  json object{{"sources", std::move(sources)},
              {"vlan", write_unless_zero(input.vlan)},
              {"local", input.local}};
  write_place(object, input);
  return object;
}
Input read_input(const json& object) {
  Input input;
  read_place(object, input);
  for (const auto& source : list(object, "sources")) {
    const auto text = read_text(source);
    const bool excluded = text.starts_with('!');
    if (const auto block = Prefix::parse(std::string_view(text).substr(excluded ? 1 : 0)))
      (excluded ? input.excluded : input.sources).push_back(*block);
  }
  input.vlan = read_small<std::uint16_t>(at(object, "vlan")).value_or(0);
  input.local = read_bool(at(object, "local"));
  return input;
}

std::optional<Carrier> read_carrier(const json& object) {
  if (!object.is_object()) return std::nullopt;
  return Carrier{read_text(at(object, "relay")), read_number(at(object, "age_s"))};
}

json write_output(const Output& output) {
  const auto& config = output.config;
  json object{
      {"ttl", write_ttl(config.ttl)},
      {"max_pps", write_unless_zero(config.limit.pps)},
      {"max_bps", write_unless_zero(config.limit.bps)},
      {"dscp", write_dscp(config.dscp)},
      {"source", write_source(config.source)},
      {"source_port", config.source_port != 0 ? json(config.source_port) : json("preserve")},
      {"loopback", config.loopback},
      {"segmentation", config.segmentation ? "auto" : "off"},
      {"state", write_state(output.state)},
      {"drops", write_drops(output.drops)}};
  write_place(object, config);
  if (config.host) {
    object["host"] = config.host.name;
    object["addresses"] = config.host.all ? "all" : "one";
    if (!config.destination) object["address"] = nullptr;
  }
  if (const auto& carrier = output.carrier; carrier)
    object["carrier"] = {{"relay", carrier->relay.empty() ? json() : json(carrier->relay)},
                         {"age_s", write(carrier->age_s)}};
  write_reason(object, "error", output.error);
  if (output.reason.empty())
    object["reason"] = "";
  else
    write_reason(object, "reason", output.reason);
  write_counts(object, output_counts, output);
  return object;
}
Output read_output(const json& object) {
  Output output;
  auto& config = output.config;
  read_place(object, config);
  config.host.name = read_text(at(object, "host"));
  config.host.all = at(object, "addresses") != "one";
  config.ttl = read_ttl(at(object, "ttl"));
  config.limit = {read_count(at(object, "max_pps")).value_or(0),
                  read_count(at(object, "max_bps")).value_or(0)};
  config.dscp = read_dscp(at(object, "dscp"));
  config.source = read_source(at(object, "source"));
  config.source_port = read_small<std::uint16_t>(at(object, "source_port")).value_or(0);
  config.loopback = read_bool(at(object, "loopback"));
  config.segmentation = at(object, "segmentation") != "off";
  output.state = read_state(at(object, "state"), output_states);
  output.reason = read_reason(object, "reason");
  output.error = read_reason(object, "error");
  (output.reason.empty() ? output.reason : output.error).error = 0;
  output.drops = read_drops<SentDrops>(at(object, "drops"));
  output.carrier = read_carrier(at(object, "carrier"));
  read_counts(object, output_counts, output);
  return output;
}

/// Buckets without a sample are left out.
json write_latency(const std::optional<Latency>& latency) {
  if (!latency) return {};
  json buckets = json::array();
  for (std::size_t i = 0; i < Latency::buckets; ++i)
    if (latency->counts[i] != 0)
      buckets.push_back(
          {{"le_us", i + 1 == Latency::buckets ? json() : json(Latency::bound_ns(i) / 1000)},
           {"samples", latency->counts[i]}});
  return {{"samples", latency->samples()},
          {"sum_us", static_cast<double>(latency->sum_ns) / 1000},
          {"p50_us", latency->quantile_ns(0.5) / 1000},
          {"p99_us", latency->quantile_ns(0.99) / 1000},
          {"buckets", std::move(buckets)}};
}
std::optional<Latency> read_latency(const json& object) {
  constexpr double most = 1e15;  // us
  if (!object.is_object()) return std::nullopt;
  Latency latency;
  latency.sum_ns = static_cast<std::uint64_t>(
      std::llround(std::min(read_number(at(object, "sum_us")).value_or(0), most) * 1000));
  for (const auto& bucket : list(object, "buckets")) {
    const auto us = read_count(at(bucket, "le_us"));
    const auto i = us ? Latency::bucket_of(std::min(*us, std::uint64_t{1} << 40U) * 1000)
                      : Latency::buckets - 1;
    latency.counts[i] = read_count(at(bucket, "samples")).value_or(0);
  }
  return latency;
}

json write_inputs(const Rule& rule) {
  json inputs = json::array();
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    inputs.push_back(write_input(rule.inputs[i]));
    if (i < rule.streams.size() && rule.streams[i])
      inputs.back()["stream"] = to_json(*rule.streams[i]);
    if (i < rule.legs.size() && rule.legs[i]) inputs.back()["leg"] = to_json(*rule.legs[i]);
    if (i < rule.standing.size() && rule.standing[i])
      write_failover_input(inputs.back(), *rule.standing[i]);
  }
  return inputs;
}
void clear_if_none(auto& values) {
  if (std::ranges::none_of(values, [](const auto& value) { return value.has_value(); }))
    values.clear();
}
void read_inputs(const json& inputs, Rule& rule) {
  for (const auto& input : inputs) {
    rule.inputs.push_back(read_input(input));
    rule.streams.push_back(stream_from_json(at(input, "stream")));
    rule.legs.push_back(leg_from_json(at(input, "leg")));
    rule.standing.push_back(failover_input_from_json(input));
  }
  clear_if_none(rule.streams);
  clear_if_none(rule.legs);
  clear_if_none(rule.standing);
}

json write_rule(const Rule& rule) {
  json inputs = write_inputs(rule);
  json outputs = json::array();
  for (const auto& output : rule.outputs)
    outputs.push_back(write_output(output));
  json object{
      {"name", rule.name},
      {"state", write_state(rule.state)},
      {"comment", rule.comment},
      {"path", rule.path},
      {"path_reason", rule.path_reason},
      {"latency", write_latency(rule.latency)},
      {"expect", write_expect(rule.expect)},
      {"allow_loop", rule.allow_loop},
      {"input", inputs.empty() ? json() : inputs.front()},
      {"inputs", std::move(inputs)},
      {"rate_pps", write(rule.rate_pps)},
      {"rate_bps", write(rule.rate_bps)},
      {"last_seen_s", write(rule.last_seen_s)},
      {"last_source", rule.last_source ? json(fmt::format("{}", *rule.last_source)) : json()},
      {"drops", write_drops(rule.drops)},
      {"outputs", std::move(outputs)}};
  if (!rule.reflector.empty()) object["reflector"] = rule.reflector;
  if (rule.merge) object["merge"] = to_json(*rule.merge);
  if (rule.failover) object["failover"] = to_json(*rule.failover);
  write_reason(object, "reason", rule.reason);
  write_counts(object, rule_counts, rule);
  return object;
}
Rule read_rule(const json& object) {
  Rule rule;
  rule.name = read_text(at(object, "name"));
  rule.state = read_state(at(object, "state"), rule_states);
  rule.reason = read_reason(object, "reason");
  rule.comment = read_text(at(object, "comment"));
  rule.reflector = read_text(at(object, "reflector"));
  rule.path = read_text(at(object, "path"));
  rule.path_reason = read_text(at(object, "path_reason"));
  rule.latency = read_latency(at(object, "latency"));
  rule.expect = read_expect(at(object, "expect"));
  rule.allow_loop = read_bool(at(object, "allow_loop"));
  read_inputs(list(object, "inputs"), rule);
  if (rule.inputs.empty() && at(object, "input").is_object())
    rule.inputs.push_back(read_input(at(object, "input")));
  read_counts(object, rule_counts, rule);
  rule.rate_pps = read_number(at(object, "rate_pps"));
  rule.rate_bps = read_number(at(object, "rate_bps"));
  rule.last_seen_s = read_number(at(object, "last_seen_s"));
  rule.merge = merge_from_json(at(object, "merge"));
  rule.failover = failover_from_json(at(object, "failover"));
  rule.last_source = Endpoint::parse(read_text(at(object, "last_source")));
  rule.drops = read_drops<ReceivedDrops>(at(object, "drops"));
  for (const auto& output : list(object, "outputs"))
    rule.outputs.push_back(read_output(output));
  return rule;
}

json write_services(const Reflector& reflector) {
  json services = json::array();
  for (const auto& service : reflector.services)
    services.push_back({{"interface", service.interface},
                        {"type", service.type},
                        {"name", service.name},
                        {"from", service.from},
                        {"age_s", service.age_s ? json(*service.age_s) : json()},
                        {"lives_s", service.lives_s ? json(*service.lives_s) : json()}});
  return services;
}

json write_reflector(const Reflector& reflector) {
  json ways = json::array();
  for (const auto& way : reflector.ways)
    ways.push_back({{"from", way.from},
                    {"to", way.to},
                    {"datagrams", way.datagrams ? json(*way.datagrams) : json()}});
  json object{{"name", reflector.name},
              {"kind", reflector.kind},
              {"comment", reflector.comment},
              {"state", write_state(reflector.state)},
              {"interfaces", reflector.interfaces},
              {"ways", std::move(ways)},
              {"services", write_services(reflector)}};
  write_reason(object, "reason", reflector.reason);
  write_counts(object, reflector_counts, reflector);
  return object;
}
Reflector read_reflector(const json& object) {
  Reflector reflector;
  reflector.name = read_text(at(object, "name"));
  reflector.kind = read_text(at(object, "kind"));
  reflector.comment = read_text(at(object, "comment"));
  reflector.state = read_state(at(object, "state"), rule_states);
  reflector.reason = read_reason(object, "reason");
  reflector.interfaces = read_texts(object, "interfaces");
  for (const auto& way : list(object, "ways"))
    reflector.ways.push_back(
        {read_text(at(way, "from")), read_text(at(way, "to")), read_count(at(way, "datagrams"))});
  for (const auto& service : list(object, "services"))
    reflector.services.push_back({read_text(at(service, "interface")),
                                  read_text(at(service, "type")), read_text(at(service, "name")),
                                  read_text(at(service, "from")), read_number(at(service, "age_s")),
                                  read_number(at(service, "lives_s"))});
  read_counts(object, reflector_counts, reflector);
  return reflector;
}

json write_worker(const Worker& worker) {
  json object{{"state", worker.stuck ? "stuck" : "running"},
              {"idle", worker.polls ? "poll" : "sleep"},
              {"cpu_use", write(worker.cpu_use)}};
  write_counts(object, worker_counts, worker);
  return object;
}
Worker read_worker(const json& object) {
  Worker worker;
  worker.stuck = at(object, "state") == "stuck";
  worker.polls = at(object, "idle") == "poll";
  worker.cpu_use = read_number(at(object, "cpu_use"));
  read_counts(object, worker_counts, worker);
  return worker;
}

json write_interface(const Interface& interface) {
  json object{{"name", interface.name},
              {"altnames", interface.alt_names},
              {"state", write_state(interface.state)},
              {"gro", interface.gro ? json(*interface.gro ? "on" : "off") : json()},
              {"gro_reason", interface.gro_reason}};
  write_counts(object, interface_counts, interface);
  return object;
}
Interface read_interface(const json& object) {
  Interface interface;
  interface.name = read_text(at(object, "name"));
  interface.alt_names = read_texts(object, "altnames");
  interface.state = read_state(at(object, "state"), interface_states);
  const auto& gro = at(object, "gro");
  if (gro == "on" || gro == "off") interface.gro = gro == "on";
  interface.gro_reason = read_text(at(object, "gro_reason"));
  read_counts(object, interface_counts, interface);
  return interface;
}

json write_membership(const Membership& membership) {
  const auto& [interface, group, source, excluded] = membership.group;
  json left_out = json::array();
  for (const auto& each : excluded)
    left_out.push_back(each.str());
  json object{{"interface", interface},
              {"group", group.str()},
              {"source", source ? json(source.str()) : json()},
              {"excluded", std::move(left_out)},
              {"state", write_state(membership.state)}};
  write_reason(object, "error", membership.error);
  return object;
}
Membership read_membership(const json& object) {
  const auto address = [&](const char* key) {
    return IpAddress::parse(read_text(at(object, key))).value_or(IpAddress());
  };
  std::vector<IpAddress> excluded;
  for (const auto& each : list(object, "excluded"))
    if (const auto source = IpAddress::parse(read_text(each))) excluded.push_back(*source);
  return {{read_text(at(object, "interface")), address("group"), address("source"),
           std::move(excluded)},
          read_state(at(object, "state"), membership_states),
          read_reason(object, "error")};
}

/// The counts of joins, which are there, with the groups.
json write_memberships(const Status& status) {
  json groups = json::array();
  for (const auto& membership : status.memberships)
    groups.push_back(write_membership(membership));
  json object{{"groups", std::move(groups)}};
  write_counts(object, join_counts, *status.joins);
  return object;
}
void read_memberships(const json& object, Status& status) {
  if (!object.is_object()) return;
  status.joins.emplace();
  read_counts(object, join_counts, *status.joins);
  for (const auto& group : list(object, "groups"))
    status.memberships.push_back(read_membership(group));
}

json write_totals(const Totals& totals) {
  json object{{"drops", write_drops(totals.drops)}, {"tx_drops", write_drops(totals.tx_drops)}};
  write_counts(object, total_counts, totals);
  return object;
}
std::optional<Totals> read_totals(const json& object) {
  if (!object.is_object()) return std::nullopt;
  Totals totals;
  totals.drops = read_drops<ReceivedDrops>(at(object, "drops"));
  totals.tx_drops = read_drops<SentDrops>(at(object, "tx_drops"));
  read_counts(object, total_counts, totals);
  return totals;
}

json write_fast_path(const FastPath& fast_path) {
  json object{{"runs", fast_path.runs}};
  write_reason(object, "reason", fast_path.reason);
  write_counts(object, fast_path_counts, fast_path);
  return object;
}
std::optional<FastPath> read_fast_path(const json& object) {
  if (!object.is_object()) return std::nullopt;
  FastPath fast_path;
  fast_path.runs = read_bool(at(object, "runs"));
  fast_path.reason = read_reason(object, "reason");
  read_counts(object, fast_path_counts, fast_path);
  return fast_path;
}

/// Its keys stand among those of the whole, but for the host's.
void write_process(json& document, const Process& process) {
  document["version"] = process.version;
  document["uptime_s"] = write(process.uptime_s);
  document["config"] = process.config;
  document["shard"] = process.shard;
  document["memory_locked"] = process.memory_locked;
  document["standby"] = process.standby;
  document["metrics"] = json::object();
  write_reason(document["metrics"], "reason", process.metrics_refusal);
  write_counts(document, process_counts, process);
  write_counts(document["host"], host_counts, process);
}
Process read_process(const json& document) {
  Process process;
  process.version = read_text(at(document, "version"));
  process.uptime_s = read_number(at(document, "uptime_s"));
  process.config = read_text(at(document, "config"));
  process.shard = read_text(at(document, "shard"));
  process.memory_locked = read_text(at(document, "memory_locked"));
  process.standby = read_text(at(document, "standby"));
  process.metrics_refusal = read_reason(at(document, "metrics"), "reason");
  read_counts(document, process_counts, process);
  read_counts(at(document, "host"), host_counts, process);
  return process;
}

}  // namespace

json to_json(const Rule& rule) {
  return write_rule(rule);
}

json frame_to_json(const Status& status) {
  json workers = json::array();
  for (const auto& worker : status.workers)
    workers.push_back(write_worker(worker));
  json interfaces = json::array();
  for (const auto& interface : status.interfaces)
    interfaces.push_back(write_interface(interface));
  json reflectors = json::array();
  for (const auto& reflector : status.reflectors)
    reflectors.push_back(write_reflector(reflector));
  json document{{"workers", std::move(workers)},
                {"interfaces", std::move(interfaces)},
                {"reflectors", std::move(reflectors)}};
  if (status.joins) document["membership"] = write_memberships(status);
  if (status.totals) document["totals"] = write_totals(*status.totals);
  if (status.fast_path) document["fast_path"] = write_fast_path(*status.fast_path);
  if (status.digest) document["digest"] = write_digest(*status.digest);
  write_process(document, status.process);
  return document;
}

json to_json(const Status& status) {
  auto document = frame_to_json(status);
  auto& rules = document["rules"] = json::array();
  for (const auto& rule : status.rules)
    rules.push_back(write_rule(rule));
  return document;
}

std::optional<Status> from_json(const json& document) {
  if (!at(document, "rules").is_array()) return std::nullopt;
  Status status;
  status.process = read_process(document);
  for (const auto& worker : list(document, "workers"))
    status.workers.push_back(read_worker(worker));
  for (const auto& interface : list(document, "interfaces"))
    status.interfaces.push_back(read_interface(interface));
  for (const auto& rule : list(document, "rules"))
    status.rules.push_back(read_rule(rule));
  for (const auto& reflector : list(document, "reflectors"))
    status.reflectors.push_back(read_reflector(reflector));
  read_memberships(at(document, "membership"), status);
  status.totals = read_totals(at(document, "totals"));
  status.fast_path = read_fast_path(at(document, "fast_path"));
  status.digest = read_digest(at(document, "digest"));
  return status;
}

}  // namespace mcr::status
