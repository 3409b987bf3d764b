#include "mcr/status/metrics.hpp"

#include <cmath>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "status_builder.hpp"

using mcr::Status;
using mcr::status::render_metrics;

namespace {

Status one_rule() {
  auto status = mcr::healthy();
  status.process.version = "1.2.3";
  status.process.uptime_s = 12.5;
  status.process.softnet_dropped = 11;
  status.interfaces[0].kernel_drops = 7;
  mcr::status::Interface missing;
  missing.name = "eth7";
  missing.state = mcr::status::InterfaceState::missing;
  status.interfaces.push_back(missing);
  status.joins->joins_failed = 1;
  status.memberships[0].state = mcr::MembershipState::failed;
  status.totals->rx_datagrams = UINT64_MAX;
  mcr::drops_of(status.totals->drops, "fragment") = 2;

  status.rules.pop_back();
  auto& rule = status.rules[0];
  rule.state = mcr::RuleState::failed;
  rule.rx_datagrams = 12;
  rule.rx_bytes = 3400;
  mcr::drops_of(rule.drops, "not_udp") = 5;
  auto& output = rule.outputs[0];
  output.config.destination = mcr::ip("ff05::2");
  mcr::drops_of(output.drops, "egress_full") = 2;
  return status;
}

bool has_line(const std::string& text, const std::string& line) {
  return text.starts_with(line + '\n') || text.find('\n' + line + '\n') != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: values with their names and labels") {
  const auto text = render_metrics(one_rule());
  INFO(text);
  for (const auto* line :
       {"# TYPE mcr_rule_rx_datagrams_total counter",
        "# TYPE mcr_rule_state gauge",
        "mcr_build_info{version=\"1.2.3\"} 1",
        "mcr_uptime_seconds 12.5",
        "mcr_config_generation 3",
        "mcr_host_softnet_dropped_frames_total 11",
        "mcr_worker_batches_total{worker=\"0\"} 4",
        "mcr_interface_state{interface=\"eth0\",state=\"up\"} 1",
        "mcr_interface_state{interface=\"eth7\",state=\"up\"} 0",
        "mcr_interface_state{interface=\"eth7\",state=\"missing\"} 1",
        "mcr_interface_kernel_drops_frames_total{interface=\"eth0\"} 7",
        "mcr_membership_groups{state=\"failed\"} 1",
        "mcr_membership_joins_failed_total 1",
        "mcr_rx_datagrams_total 18446744073709551615",
        "mcr_rx_drops_total{reason=\"fragment\"} 2",
        "mcr_tx_drops_total{reason=\"egress_full\"} 0",
        "mcr_rule_state{rule=\"studio-a\",state=\"failed\"} 1",
        "mcr_rule_state{rule=\"studio-a\",state=\"active\"} 0",
        "mcr_rule_rx_datagrams_total{rule=\"studio-a\"} 12",
        "mcr_rule_rx_bytes_total{rule=\"studio-a\"} 3400",
        "mcr_rule_last_seen_seconds{rule=\"studio-a\"} 0.210",
        "mcr_rule_drops_total{rule=\"studio-a\",reason=\"not_udp\"} 5",
        "mcr_output_up{rule=\"studio-a\",interface=\"eth1\",destination=\"[ff05::2]:6000\"} 1",
        "mcr_output_drops_total{rule=\"studio-a\",interface=\"eth1\","
        "destination=\"[ff05::2]:6000\",reason=\"egress_full\"} 2"})
    CHECK(has_line(text, line));
}

TEST_CASE("metrics: what is not there is left out, and so are a rule's zero drops") {
  const auto text = render_metrics(one_rule());
  CHECK(text.find("mcr_interface_mtu_bytes{interface=\"eth7\"}") == std::string::npos);
  CHECK(text.find("studio-a\",reason=\"not_ip\"") == std::string::npos);
  auto unheard = one_rule();
  unheard.rules[0].last_seen_s.reset();
  CHECK(render_metrics(unheard).find("mcr_rule_last_seen_seconds{") == std::string::npos);
  CHECK_FALSE(render_metrics(Status()).empty());
}

TEST_CASE("metrics: a latency histogram as Prometheus reads one") {
  auto status = one_rule();
  CHECK(render_metrics(status).find("mcr_rule_latency_seconds") == std::string::npos);
  mcr::LatencyCounters counters;
  for (const std::uint64_t ns : {800U, 1000U, 1500U, 3000U, 1'000'000'000U})
    counters.add(ns);
  counters.add_to(status.rules[0].latency.emplace());
  const auto text = render_metrics(status);
  INFO(text);
  CHECK(has_line(text, "# TYPE mcr_rule_latency_seconds histogram"));
  // le is "less or equal": each bucket has what the smaller ones have, too.
  for (const auto* line : {"mcr_rule_latency_seconds_bucket{rule=\"studio-a\",le=\"1e-06\"} 2",
                           "mcr_rule_latency_seconds_bucket{rule=\"studio-a\",le=\"2e-06\"} 3",
                           "mcr_rule_latency_seconds_bucket{rule=\"studio-a\",le=\"4e-06\"} 4",
                           "mcr_rule_latency_seconds_bucket{rule=\"studio-a\",le=\"0.524288\"} 4",
                           "mcr_rule_latency_seconds_bucket{rule=\"studio-a\",le=\"+Inf\"} 5",
                           "mcr_rule_latency_seconds_sum{rule=\"studio-a\"} 1.0000063",
                           "mcr_rule_latency_seconds_count{rule=\"studio-a\"} 5"})
    CHECK(has_line(text, line));

  std::istringstream lines(text);
  std::size_t buckets = 0;
  double bound = 0;
  std::uint64_t below = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("mcr_rule_latency_seconds_bucket")) continue;
    const auto le = line.find(",le=\"") + 5;
    const auto next = std::stod(line.substr(le));  // reads "+Inf", too
    const auto count = std::stoull(line.substr(line.rfind(' ')));
    CHECK(next > bound);
    CHECK(count >= below);
    bound = next;
    below = count;
    ++buckets;
  }
  CHECK(buckets == mcr::Latency::buckets);
  CHECK(std::isinf(bound));
}

TEST_CASE("metrics: label values are escaped") {
  auto status = one_rule();
  status.rules[0].name = "a\"b\\c\nd";
  CHECK(has_line(render_metrics(status), R"(mcr_rule_rx_datagrams_total{rule="a\"b\\c\nd"} 12)"));
}

TEST_CASE("metrics: every name is described once, and its samples stand together") {
  auto status = one_rule();
  status.rules.push_back(status.rules[0]);
  status.rules[1].name = "studio-b";
  std::istringstream text(render_metrics(status));
  std::set<std::string> described;
  std::string current;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      CHECK(described.insert(current).second);
    } else if (!line.starts_with("#")) {
      CHECK(line.substr(0, line.find_first_of("{ ")) == current);
    }
  }
  CHECK(described.size() > 30);
}
