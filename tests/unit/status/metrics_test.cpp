#include "mcr/status/metrics.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "catch.hpp"

using mcr::OutputDrop;
using mcr::RuleMetrics;
using mcr::RuleState;

namespace {

using Json = nlohmann::json;

Json process() {
  return Json::parse(R"({
    "version": "1.2.3", "generation": 3, "uptime_s": 12.5,
    "host": {"softnet_dropped": 11, "softnet_squeezed": 12},
    "workers": [{"id": 0, "cpu": 2, "rx_datagrams": 5, "tx_datagrams": 6, "batches": 4}],
    "interfaces": [
      {"name": "eth0", "state": "up", "mtu": 1500, "receive_buffer": 4096, "send_buffer": 0,
       "rx_frames": 3, "rx_datagrams": 5, "kernel_drops": 7, "link_rx_missed": 8,
       "link_tx_dropped": 9},
      {"name": "eth7", "state": "missing", "mtu": null, "kernel_drops": 0}],
    "membership": {"joins_attempted": 4, "joins_succeeded": 3, "joins_failed": 1, "leaves": 0,
                   "helper_sockets": 1, "states": {"joined": 3, "failed": 1}},
    "totals": {"rx_datagrams": 18446744073709551615, "matched": 4, "unmatched": 1,
               "drops": {"fragment": 2}, "kernel_drops": 7, "tx_datagrams": 6,
               "tx_drops": {"egress_full": 0}}})");
}

std::vector<RuleMetrics> one_rule() {
  RuleMetrics rule{"studio-a", RuleState::failed, {12, 3400, {}}, {}};
  rule.totals.drops[1] = 5;
  mcr::OutputMetrics output{"eth1", {*mcr::IpAddress::parse("ff05::2"), 6000}, true, {}};
  output.totals.matched = 12;
  output.totals.tx_datagrams = 10;
  output.totals.drops[static_cast<std::size_t>(OutputDrop::egress_full)] = 2;
  rule.outputs.push_back(output);
  return {rule};
}

bool has_line(const std::string& text, const std::string& line) {
  return text.starts_with(line + '\n') || text.find('\n' + line + '\n') != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: values with their names and labels") {
  const auto text = mcr::render_metrics(process(), one_rule());
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
        "mcr_rule_drops_total{rule=\"studio-a\",reason=\"not_udp\"} 5",
        "mcr_output_up{rule=\"studio-a\",interface=\"eth1\",destination=\"[ff05::2]:6000\"} 1",
        "mcr_output_drops_total{rule=\"studio-a\",interface=\"eth1\","
        "destination=\"[ff05::2]:6000\",reason=\"egress_full\"} 2"})
    CHECK(has_line(text, line));
}

TEST_CASE("metrics: what is not there is left out, and so are a rule's zero drops") {
  const auto text = mcr::render_metrics(process(), one_rule());
  CHECK(text.find("mcr_interface_mtu_bytes{interface=\"eth7\"}") == std::string::npos);
  CHECK(text.find("reason=\"not_ip\"") == std::string::npos);
  CHECK_FALSE(mcr::render_metrics(Json::object(), {}).empty());
}

TEST_CASE("metrics: label values are escaped") {
  auto rules = one_rule();
  rules[0].name = "a\"b\\c\nd";
  CHECK(has_line(mcr::render_metrics(process(), rules),
                 R"(mcr_rule_rx_datagrams_total{rule="a\"b\\c\nd"} 12)"));
}

TEST_CASE("metrics: every name is described once, and its samples stand together") {
  auto rules = one_rule();
  rules.push_back(rules[0]);
  rules[1].name = "studio-b";
  std::istringstream text(mcr::render_metrics(process(), rules));
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
