#include "remedies.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/base/prefix.hpp"

namespace mcr::status {

namespace {

/// Each step once, however many inputs and outputs need it.
void add(std::vector<std::string>& steps, std::string step) {
  if (std::ranges::find(steps, step) == steps.end()) steps.push_back(std::move(step));
}

const Json& interface_named(const Json& status, const Json& name) {
  static const Json nothing;
  for (const auto& each : list(status, "interfaces"))
    if (at(each, "name") == name) return each;
  return nothing;
}

/// True if the interface cannot be used at all.
bool add_link_step(std::vector<std::string>& steps, const Json& status, const Json& endpoint) {
  const auto name = text(endpoint, "interface");
  const auto& interface = interface_named(status, at(endpoint, "interface"));
  if (is(interface, "state", "missing")) {
    add(steps, fmt::format("create {}, or correct its name in the configuration (ip link shows the "
                           "names); the rule then starts by itself",
                           name));
    return true;
  }
  if (is(interface, "state", "down")) {
    add(steps, fmt::format("ip link set {0} up; if it stays down it has no carrier: look at the "
                           "cable and the port of the switch (ethtool {0})",
                           name));
    return true;
  }
  return false;
}

std::string join_step(const Json& membership) {
  const auto error = text_or_nothing(membership, "error");
  if (error == "No buffer space available" || error == "Cannot allocate memory")
    return "the kernel has no room for the group: sysctl net.ipv4.igmp_max_memberships "
           "net.ipv4.igmp_max_msf net.core.optmem_max; 0 allows none";
  if (error == "No such device")
    return fmt::format(
        "{} has no IP configuration of the group's family: ip address add ADDRESS/"
        "LENGTH dev {}",
        text(membership, "interface"), text(membership, "interface"));
  return fmt::format("the join is tried again after 1 to 30 s; mcr doctor looks at {}",
                     text(membership, "interface"));
}

void add_input_steps(std::vector<std::string>& steps, const Json& status, const Json& input) {
  if (add_link_step(steps, status, input)) return;
  for (const auto& membership : memberships(status, input))
    if (is(membership, "state", "failed")) add(steps, join_step(membership));
}

void add_output_steps(std::vector<std::string>& steps, const Json& status, const Json& output) {
  if (!is(output, "state", "waiting") || add_link_step(steps, status, output)) return;
  const auto interface = text(output, "interface");
  if (const auto source = IpAddress::parse(text(output, "source")))
    add(steps, fmt::format("ip address add {}/LENGTH dev {}, or name another `source`", *source,
                           interface));
  else
    add(steps,
        fmt::format("give {0} an address to send from: ip address add ADDRESS/LENGTH dev {0}",
                    interface));
}

/// Joined, and nothing comes, or nothing any more: from the wire outwards.
void add_silence_steps(std::vector<std::string>& steps, const Json& rule) {
  const auto all = inputs(rule);
  if (all.empty()) return;
  const auto& input = all.front();
  const auto interface = text(input, "interface");
  const auto to = address(input);
  const auto port = text(input, "port");
  const auto vlan = counter(input, "vlan");
  add(steps, fmt::format("is it on the wire? tcpdump -c 5 -ni {} {}udp {} {} and {} {}", interface,
                         vlan ? fmt::format("vlan {} and ", *vlan) : "",
                         port.find('-') == std::string::npos ? "port" : "portrange", port,
                         to.find('/') == std::string::npos ? "host" : "net", to));
  const auto groups = Prefix::parse(to);
  if (is_on(input, "local")) {
    add(steps, fmt::format("does a program of this host send it, and by {}?", interface));
  } else if (groups && groups->first().is_multicast()) {
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

std::vector<std::string> remedies(const Json& status, const Json& rule) {
  std::vector<std::string> steps;
  if (is(rule, "state", "disabled")) {
    add(steps, "remove enabled = false from the rule, then mcr reload");
    return steps;
  }
  for (const auto& input : inputs(rule))
    add_input_steps(steps, status, input);
  for (const auto& output : list(rule, "outputs"))
    add_output_steps(steps, status, output);
  const bool nothing_yet = is(rule, "state", "active") &&
                           counter(rule, "rx_datagrams") == std::uint64_t{0} &&
                           drops_in(at(rule, "drops")).empty();
  if (steps.empty() && (nothing_yet || is(rule, "state", "silent"))) add_silence_steps(steps, rule);
  return steps;
}

}  // namespace mcr::status
