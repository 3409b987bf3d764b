// The full specimen is a skeleton whose unknown values are filled in by way of its JSON: so a key
// that is added to the JSON is in it without a line here.
#include "mcr/status/specimen.hpp"

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mcr/status/json.hpp"

namespace mcr::status {

namespace {

IpAddress group() {
  return *IpAddress::parse("239.1.1.1");
}

/// Numbers only.
Output plain_output() {
  Output output;
  output.config.interface = "eth1";
  output.config.destination = group();
  output.config.port = 6000;
  output.config.source_port = 5000;
  output.config.ttl = Ttl::of(16);
  output.config.limit = {1000, 8'000'000};
  output.state = OutputState::up;
  output.carrier = Carrier{"10.2.0.3:5353", 1};
  return output;
}

/// Words where numbers could be.
Output kept_output() {
  Output output = plain_output();
  output.config.source_port = 0;
  output.config.ports = 2;
  output.config.ttl = {Ttl::Mode::preserve};
  output.config.dscp = {true, 0};
  output.state = OutputState::waiting;
  output.reason = {"Address already in use", 98};
  output.config.host.name = "pods.example";
  output.config.destination = *IpAddress::parse("10.2.0.2");
  return output;
}

Stream full_stream() {
  Stream stream;
  stream.ts.emplace();
  stream.ts->indicators.emplace_back().age_s = 1;
  stream.ts->pids.emplace_back();
  return stream;
}

Rule full_rule(RuleState state) {
  Rule rule;
  rule.name = "rule";
  rule.state = state;
  rule.reason = {"No such device", 19};
  rule.expect.emplace();
  for (const std::uint32_t ports : {1U, 2U}) {
    auto& input = rule.inputs.emplace_back();
    input.interface = "eth0";
    input.destination = group();
    input.port = 5000;
    input.ports = ports;
    input.vlan = 7;
    input.sources = {*Prefix::parse("10.0.0.5")};
    rule.streams.emplace_back(full_stream());
    rule.legs.emplace_back(MergedLeg());
    rule.standing.emplace_back(FailoverInput());
  }
  rule.latency.emplace();
  rule.reflector = "reflector";
  rule.merge.emplace();
  rule.failover.emplace().last = FailoverView::Last{};
  rule.last_source = Endpoint{group(), 5000};
  rule.outputs = {plain_output(), kept_output()};
  return rule;
}

/// One of each thing; its counts are unknown.
Status skeleton() {
  Status status;
  status.workers = {Worker(), Worker()};
  status.workers[1].stuck = true;
  for (const auto state : interface_states)
    status.interfaces.emplace_back().state = state;
  status.interfaces[0].gro = true;
  status.interfaces[0].gro_reason = "reason";
  status.interfaces[0].alt_names = {"lan"};
  for (const auto state : rule_states)
    status.rules.push_back(full_rule(state));
  for (const auto state : membership_states)
    status.memberships.push_back({{"eth0", group(), group(), {group()}}, state, {}});
  auto& reflector = status.reflectors.emplace_back();
  reflector.state = RuleState::active;
  reflector.interfaces = {"eth0", "eth1"};
  reflector.ways.push_back({"eth0", "eth1", 1});
  reflector.services.push_back({"eth0", "_ipp._tcp", "Printer", "10.0.0.5", 1, 1});
  status.joins.emplace();
  status.totals.emplace();
  status.fast_path.emplace();
  status.digest.emplace().groups.push_back({RuleState::active, "note", true, 1, {"rule"}, 1, 1});
  return status;
}

/// 1 in the place of each unknown value.
void fill(nlohmann::json& value) {
  if (value.is_null()) value = 1;
  if (value.is_structured())
    for (auto& each : value)
      fill(each);
}

}  // namespace

Status full_specimen() {
  auto document = to_json(skeleton());
  fill(document);
  return from_json(document).value();
}

Status empty_specimen() {
  Status status;
  status.workers.emplace_back();
  status.interfaces.emplace_back();
  auto& rule = status.rules.emplace_back();
  rule.inputs.emplace_back();
  rule.outputs.emplace_back();
  status.joins.emplace();
  status.totals.emplace();
  status.fast_path.emplace();
  status.memberships.emplace_back();
  return status;
}

EventRing specimen_events() {
  constexpr std::size_t plain = 2;  // lost to the first reader
  std::vector<std::string> states{"removed", "joined",   "done",       "refused", "begun",
                                  "ended",   "resolved", "unresolved", "on_air",  "merged",
                                  "lost",    "no_copy",  "behind"};
  for (const auto state : rule_states)
    states.emplace_back(to_string(state));
  EventRing ring(first_specimen_event, states.size() + 1);
  const std::chrono::system_clock::time_point time;
  for (std::size_t i = 0; i <= plain; ++i)
    ring.add({.time = time, .kind = EventKind::start});
  for (const auto& state : states)
    ring.add({.time = time,
              .kind = state == "joined"     ? EventKind::join
                      : state == "resolved" ? EventKind::host
                      : state == "on_air"   ? EventKind::failover
                                            : EventKind::loss,
              .rule = "rule",
              .interface = "eth0",
              .subject = "239.1.1.1",
              .state = state,
              .before = "active",
              .reason = "No buffer space available",
              .error = ENOBUFS,
              .count = 1});
  return ring;
}

}  // namespace mcr::status
