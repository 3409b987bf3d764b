// A Status of a relay that does all of its work, for the tests of this room to spoil, and its text
// without line ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "mcr/status/status.hpp"

namespace mcr {

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

/// The text with every run of white space as one space: for what may be wrapped anywhere.
inline std::string flat(const std::string& text) {
  std::istringstream stream(text);
  std::string result;
  for (std::string word; stream >> word;)
    result += (result.empty() ? "" : " ") + word;
  return result;
}

/// The count of one reason, to be changed.
template <typename Drops>
std::uint64_t& drops_of(Drops& drops, std::string_view reason) {
  const auto found = std::find(Drops::names.begin(), Drops::names.end(), reason);
  return drops.counts.at(static_cast<std::size_t>(found - Drops::names.begin()));
}

inline status::Output healthy_output() {
  status::Output output;
  output.config.interface = "eth1";
  output.config.destination = ip("239.2.2.2");
  output.config.port = 6000;
  output.state = status::OutputState::up;
  output.matched = 1'234'567;
  output.tx_datagrams = 1'234'560;
  output.tx_bytes = 99;
  output.in_flight = 7;
  output.zerocopy = 1'234'560;
  output.copied = 0;
  output.unreachable = 0;
  return output;
}

inline status::Rule healthy_rule(const std::string& name, std::string_view group) {
  status::Rule rule;
  rule.name = name;
  rule.state = RuleState::active;
  rule.inputs = {{"eth0", ip(group), 5000, {ip("10.0.0.5")}}};
  rule.rx_datagrams = 1'234'567;
  rule.rx_bytes = 1'728'393'800;
  rule.rate_pps = 12345.6;
  rule.rate_bps = 138'270'000;
  rule.last_seen_s = 0.21;
  rule.last_source = Endpoint{ip("10.0.0.5"), 4242};
  rule.outputs = {healthy_output()};
  return rule;
}

inline status::Membership joined(std::string_view group) {
  return {{"eth0", ip(group), {}}, MembershipState::joined, {}};
}

inline status::Interface healthy_interface(const std::string& name) {
  status::Interface interface;
  interface.name = name;
  interface.index = 3;
  interface.state = status::InterfaceState::up;
  interface.mtu = 1500;
  interface.gro = false;
  interface.receive_buffer = 64U << 20U;
  interface.send_buffer = 212'992;
  interface.rx_frames = 1'000'000;
  interface.rx_datagrams = 2'469'134;
  interface.kernel_drops = 0;
  interface.link_rx_missed = 0;
  interface.link_rx_dropped = 0;
  interface.link_tx_dropped = 0;
  return interface;
}

/// Two rules from eth0 to eth1, each with a membership.
inline Status healthy() {
  Status status;
  status.process = {.version = "0.1.0",
                    .pid = 4711,
                    .uptime_s = 7384,
                    .generation = 3,
                    .config = "/etc/mcr/mcr.toml",
                    .rules_elsewhere = 0,
                    .memory_locked = "all",
                    .softnet_dropped = 0,
                    .softnet_squeezed = 0};
  status.workers = {{.id = 0,
                     .cpu = 2,
                     .last_cpu = 2,
                     .cpu_use = 0.25,
                     .rx_datagrams = 5,
                     .tx_datagrams = 6,
                     .batches = 4}};
  status.interfaces = {healthy_interface("eth0"), healthy_interface("eth1")};
  status.rules = {healthy_rule("studio-a", "239.1.1.1"), healthy_rule("studio-b", "239.1.1.2")};
  status.joins = {.joins_attempted = 2,
                  .joins_succeeded = 2,
                  .joins_failed = 0,
                  .leaves = 0,
                  .helper_sockets = 1};
  status.memberships = {joined("239.1.1.1"), joined("239.1.1.2")};
  status.totals = {.rx_datagrams = 2'469'134,
                   .matched = 2'469'134,
                   .unmatched = 0,
                   .drops = {},
                   .kernel_drops = 0,
                   .tx_datagrams = 2'469'120,
                   .tx_drops = {},
                   .capture_missed = 0};
  return status;
}

}  // namespace mcr
