#include "remedies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "text_values.hpp"

namespace mcr::status {

namespace {

/// Each step once, however many inputs and outputs need it.
void add(std::vector<std::string>& steps, std::string step) {
  if (std::ranges::find(steps, step) == steps.end()) steps.push_back(std::move(step));
}

std::optional<InterfaceState> state_of(const Status& status, const std::string& interface) {
  const auto known = std::ranges::find(status.interfaces, interface, &Interface::name);
  return known == status.interfaces.end() ? std::nullopt : known->state;
}

/// True if the interface cannot be used at all.
bool add_link_step(std::vector<std::string>& steps, const Status& status,
                   const std::string& interface) {
  const auto name = shown(interface);
  const auto state = state_of(status, interface);
  if (state == InterfaceState::missing) {
    add(steps, fmt::format("create {}, or correct its name in the configuration (ip link shows the "
                           "names); the rule then starts by itself",
                           name));
    return true;
  }
  if (state == InterfaceState::down) {
    add(steps, fmt::format("ip link set {0} up; if it stays down it has no carrier: look at the "
                           "cable and the port of the switch (ethtool {0})",
                           name));
    return true;
  }
  return false;
}

std::string join_step(const Membership& membership) {
  const auto interface = shown(membership.group.interface);
  const auto error = membership.error.error;
  if (error == ENOBUFS || error == ENOMEM)
    return "the kernel has no room for the group: sysctl net.ipv4.igmp_max_memberships "
           "net.ipv4.igmp_max_msf net.core.optmem_max; 0 allows none";
  if (error == ENODEV)
    return fmt::format(
        "{0} has no IP configuration of the group's family: ip address add ADDRESS/"
        "LENGTH dev {0}",
        interface);
  return fmt::format("the join is tried again after 1 to 30 s; mcr doctor looks at {}", interface);
}

void add_input_steps(std::vector<std::string>& steps, const Status& status, const Input& input) {
  if (add_link_step(steps, status, input.interface)) return;
  for (const auto* membership : memberships_for(status, input))
    if (membership->state == MembershipState::failed) add(steps, join_step(*membership));
}

void add_output_steps(std::vector<std::string>& steps, const Status& status, const Output& output) {
  const auto& config = output.config;
  if (output.state != OutputState::waiting || add_link_step(steps, status, config.interface))
    return;
  const auto interface = shown(config.interface);
  if (config.source.mode == Source::Mode::address)
    add(steps, fmt::format("ip address add {}/LENGTH dev {}, or name another `source`",
                           config.source.address, interface));
  else
    add(steps,
        fmt::format("give {0} an address to send from: ip address add ADDRESS/LENGTH dev {0}",
                    interface));
}

/// Joined, and nothing comes, or nothing any more: from the wire outwards.
void add_silence_steps(std::vector<std::string>& steps, const Rule& rule) {
  if (rule.inputs.empty()) return;
  const auto& input = rule.inputs.front();
  const auto interface = shown(input.interface);
  const auto destinations = input.destinations();
  add(steps, fmt::format("is it on the wire? tcpdump -c 5 -ni {} {}udp {} {} and {} {}", interface,
                         input.vlan != 0 ? fmt::format("vlan {} and ", input.vlan) : "",
                         destinations.ports == 1 ? "port" : "portrange", destinations.port_str(),
                         destinations.addresses == 1 ? "host" : "net", destinations.address_str()));
  if (input.local) {
    add(steps, fmt::format("does a program of this host send it, and by {}?", interface));
  } else if (input.destination.is_multicast()) {
    add(steps, "does the source send, with a TTL above 1 if routers are between?");
    add(steps,
        fmt::format("does a switch hold it back? IGMP snooping without a querier forgets the "
                    "join after some minutes; mcr doctor looks at {}",
                    interface));
  } else {
    add(steps,
        fmt::format("does the source send to an address of this host? ip address show dev {}",
                    interface));
  }
}

}  // namespace

std::vector<std::string> remedies(const Status& status, const Rule& rule) {
  std::vector<std::string> steps;
  if (rule.state == RuleState::disabled) {
    add(steps, "remove enabled = false from the rule, then mcr reload");
    return steps;
  }
  for (const auto& input : rule.inputs)
    add_input_steps(steps, status, input);
  for (const auto& output : rule.outputs)
    add_output_steps(steps, status, output);
  const bool nothing_yet = rule.state == RuleState::active &&
                           rule.rx_datagrams == std::uint64_t{0} && nonzero(rule.drops).empty();
  if (steps.empty() && (nothing_yet || rule.state == RuleState::silent))
    add_silence_steps(steps, rule);
  return steps;
}

}  // namespace mcr::status
