#include "mcr/fastpath/eligibility.hpp"

#include <fmt/format.h>
#include <net/if_arp.h>

#include <algorithm>

#include "mcr/config/rule.hpp"

namespace mcr::fastpath {

namespace {

std::string why_no_link(const Interface* interface, const std::string& name) {
  if (interface == nullptr) return fmt::format("interface {} does not exist", name);
  if (interface->type != ARPHRD_ETHER || !interface->link_address)
    return fmt::format("interface {} is no Ethernet", name);
  return {};
}

}  // namespace

std::string why_worker(const Input& input, const Interfaces& interfaces) {
  if (input.local) return "an input takes what this host sends";
  if (input.vlan != 0) return "an input takes frames with a VLAN tag";
  if (input.destination.is_broadcast()) return "an input takes broadcasts";
  const auto* interface = interfaces.find(input.interface);
  if (interface != nullptr && interface->master_kind != MasterKind::none)
    return fmt::format("interface {} is a port of a bridge", input.interface);
  return why_no_link(interface, input.interface);
}

std::string why_worker(const Output& output, Family family, const Interfaces& interfaces) {
  if (!output.destination.is_multicast())
    return fmt::format("output {} is unicast", output.destination_str());
  if (output.destination.family() != family)
    return fmt::format("output {} is of another IP family", output.destinations().str());
  if (output.limit) return fmt::format("output {} has a rate limit", output.destinations().str());
  if (output.loopback) return fmt::format("output {} has loopback", output.destinations().str());
  if (!output.segmentation)
    return fmt::format("output {} has segmentation off", output.destinations().str());
  if (output.ttl.mode == Ttl::Mode::system)
    return fmt::format("output {} has the system's TTL", output.destinations().str());
  const auto* interface = interfaces.find(output.interface);
  if (interface == nullptr) return {};
  if (interface->shaped)
    return fmt::format("interface {} has a queueing discipline that delays or drops",
                       output.interface);
  return why_no_link(interface, output.interface);
}

std::string why_worker(const Rule& rule, const Interfaces& interfaces) {
  if (rule.inspect) return "its streams are inspected";
  if (rule.capture_before != 0) return "what came for it is kept for captures";
  if (rule.circle.number != 0) return "it may hear again what it has sent";
  if (rule.merge) return "its inputs are merged";
  if (rule.failover) return "one of its inputs is on air";
  for (const auto& output : rule.outputs)
    if (auto why = why_worker(output, rule.inputs.front().destination.family(), interfaces);
        !why.empty())
      return why;
  std::string first;
  for (const auto& input : rule.inputs) {
    auto why = why_worker(input, interfaces);
    if (why.empty()) return {};
    if (first.empty()) first = std::move(why);
  }
  return first;
}

std::string why_in_part(const Rule& rule, const Interfaces& interfaces) {
  if (!why_worker(rule, interfaces).empty()) return {};
  for (const auto& input : rule.inputs)
    if (auto why = why_worker(input, interfaces); !why.empty()) return why;
  return {};
}

}  // namespace mcr::fastpath
