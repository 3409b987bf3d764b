#include "advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "mcr/rules/remedies.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

/// Each step once, however many inputs and outputs need it.
void add(std::vector<std::string>& steps, std::string step) {
  if (std::ranges::find(steps, step) == steps.end()) steps.push_back(std::move(step));
}

std::optional<InterfaceState> state_of(const Status& status, const std::string& interface) {
  const auto known = std::ranges::find_if(status.interfaces, [&](const Interface& each) {
    return each.name == interface ||
           std::ranges::find(each.alt_names, interface) != each.alt_names.end();
  });
  return known == status.interfaces.end() ? std::nullopt : known->state;
}

/// True if the interface cannot be used at all.
bool add_link_step(std::vector<std::string>& steps, const Status& status,
                   const std::string& interface) {
  const auto state = state_of(status, interface);
  if (state == InterfaceState::missing)
    add(steps, remedy(Trouble::interface_missing, shown(interface)));
  else if (state == InterfaceState::down)
    add(steps, remedy(Trouble::interface_down, shown(interface)));
  else
    return false;
  return true;
}

void add_input_steps(std::vector<std::string>& steps, const Status& status, const Input& input) {
  if (add_link_step(steps, status, input.interface)) return;
  for (const auto* membership : memberships_for(status, input))
    if (membership->state == MembershipState::failed)
      add(steps, remedy(join_trouble(membership->error.error), shown(input.interface)));
}

void add_output_steps(std::vector<std::string>& steps, const Status& status, const Output& output) {
  const auto& config = output.config;
  if (output.state == OutputState::up && !output.reason.empty())
    return add(steps, remedy(next_hop_trouble(output.reason.error), shown(config.interface),
                             config.destination.str()));
  if (output.state != OutputState::waiting || add_link_step(steps, status, config.interface))
    return;
  const auto interface = shown(config.interface);
  if (output.reason.error != 0)
    add(steps, remedy(socket_trouble(output.reason.error), interface));
  else if (config.host)
    add(steps, remedy(Trouble::host_not_resolved, interface, shown(config.host.name)));
  else if (config.source.mode == Source::Mode::address)
    add(steps, remedy(Trouble::source_missing, interface, config.source.address.str()));
  else
    add(steps, remedy(Trouble::no_address, interface));
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

std::vector<std::string> advice_for(const Status& status, const Rule& rule) {
  std::vector<std::string> steps;
  if (rule.state == RuleState::disabled) {
    add(steps, "remove enabled = false from the rule, then mcr reload");
    return steps;
  }
  for (const auto& input : rule.inputs)
    add_input_steps(steps, status, input);
  for (const auto& output : rule.outputs)
    add_output_steps(steps, status, output);
  if (steps.empty() && rule.reason.error != 0 && !rule.inputs.empty())
    add(steps, remedy(Trouble::socket_refused, shown(rule.inputs.front().interface)));
  const bool nothing_yet = rule.state == RuleState::active &&
                           rule.rx_datagrams == std::uint64_t{0} && nonzero(rule.drops).empty();
  if (steps.empty() && (nothing_yet || rule.state == RuleState::silent))
    add_silence_steps(steps, rule);
  if (steps.empty() && rule.state == RuleState::degraded && !rule.streams.empty())
    add(steps, fmt::format("look at its stream: mcr inspect {}", shown(rule.name)));
  return steps;
}

}  // namespace mcr::status
