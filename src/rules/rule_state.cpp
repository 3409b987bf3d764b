// From the outermost cause inwards: the interface, the socket, the join; then the traffic. The
// first that is wrong is told, since those after it follow from it.
#include "mcr/rules/rule_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

std::string why_unusable(const Interface* interface, const std::string& name) {
  if (interface == nullptr) return fmt::format("interface {} does not exist", name);
  if (!interface->up) return fmt::format("interface {} is down", name);
  return {};
}

std::string why_aggregated(const Interface& interface, const Interfaces& interfaces) {
  const auto* master = interfaces.find(interface.master);
  return fmt::format("interface {0} is part of {1}: name {2} instead of {0}", interface.name,
                     master == nullptr ? "a bond" : master->name,
                     master == nullptr ? "the bond" : master->name);
}

std::string why_unusable(const Input& input, const Interfaces& interfaces) {
  const auto* interface = interfaces.find(input.interface);
  auto reason = why_unusable(interface, input.interface);
  if (!reason.empty()) return reason;
  if (interface->master_kind == MasterKind::bond) return why_aggregated(*interface, interfaces);
  if (!interface->link_header())
    return fmt::format("interface {} is of a type that cannot be an input (ARPHRD {})",
                       input.interface, interface->type);
  if (!input.local && !input.destination.is_multicast() &&
      !interface->is_broadcast(input.destination) && !interfaces.has(input.destination))
    return fmt::format("{} is no address of this host", input.destination);
  return {};
}

std::string why_no_source(const Interface& interface, const IpAddress& destination) {
  if (destination.is_v4())
    return fmt::format("interface {} has no usable source address", interface.name);
  const bool link_local = std::ranges::any_of(interface.addresses, &IpAddress::is_link_local_v6);
  return link_local ? fmt::format(
                          "interface {} has only a link-local IPv6 address, not good beyond "
                          "its link, where {} may be",
                          interface.name, destination)
                    : fmt::format("interface {} has no usable IPv6 address", interface.name);
}

std::string why_unusable(const Output& output, const Interfaces& interfaces) {
  auto reason = why_unusable(interfaces.find(output.interface), output.interface);
  if (!reason.empty()) return reason;
  if (!output.host.refusal.empty()) return output.host.refusal;
  if (output.source.mode == Source::Mode::preserve || source_address(output, interfaces) != nullptr)
    return {};
  if (output.source.mode == Source::Mode::address)
    return fmt::format("source {} is no address of this host", output.source.address);
  return why_no_source(*interfaces.find(output.interface), output.destination);
}

/// The check of the configuration knows names only; two of them may be one interface.
std::string why_own_input(const Rule& rule, const Output& output, const Interfaces& interfaces) {
  const auto* egress = interfaces.find(output.interface);
  const auto is_output = [&](const Input& input) {
    return input.vlan == 0 && interfaces.find(input.interface) == egress &&
           input.destinations().overlaps(output.destinations());
  };
  const auto input = std::ranges::find_if(rule.inputs, is_output);
  if (egress == nullptr || rule.allow_loop || input == rule.inputs.end()) return {};
  return fmt::format("it is the rule's own input: {} and {} are one interface", input->interface,
                     output.interface);
}

template <typename Key>
Reason refusal_of(const std::map<Key, Reason>& refused, const Key& key) {
  const auto found = refused.find(key);
  return found == refused.end() ? Reason() : found->second;
}

bool all_refused(const std::vector<Reason>& reasons) {
  return std::ranges::none_of(reasons, &Reason::empty);
}

Reason first_refusal(const RuleStatus& status) {
  for (const auto* reasons : {&status.input_reasons, &status.output_reasons})
    for (const auto& reason : *reasons)
      if (!reason.empty()) return reason;
  return {};
}

}  // namespace

std::string_view to_string(RuleState state) noexcept {
  static constexpr std::array<std::string_view, 7> names{"active",   "waiting", "failed",  "silent",
                                                         "degraded", "looping", "disabled"};
  return names[static_cast<std::size_t>(state)];
}

RuleStatus rule_status(const Rule& rule, const Interfaces& interfaces,
                       const JoinRefusal& join_refusal, const SocketRefusals& refused) {
  RuleStatus status;
  if (!rule.enabled) {
    status.state = RuleState::disabled;
    status.input_reasons.resize(rule.inputs.size());
    status.output_reasons.resize(rule.outputs.size());
    return status;
  }
  Reason join_refused;
  for (const auto& input : rule.inputs) {
    Reason reason = why_unusable(input, interfaces);
    if (reason.empty())
      reason = refusal_of(refused.rx, rx_key(input, *interfaces.find(input.interface)));
    if (reason.empty()) {
      reason = join_refusal(input);
      if (join_refused.empty()) join_refused = reason;
    }
    status.input_reasons.push_back(std::move(reason));
  }
  for (const auto& output : rule.outputs) {
    Reason reason = why_unusable(output, interfaces);
    if (reason.empty()) reason = why_own_input(rule, output, interfaces);
    if (reason.empty())
      reason = refusal_of(refused.tx, tx_key(output, *interfaces.find(output.interface)));
    status.output_reasons.push_back(std::move(reason));
  }

  if (all_refused(status.input_reasons)) {
    status.state = join_refused.empty() ? RuleState::waiting : RuleState::failed;
    status.reason = join_refused.empty() ? status.input_reasons.front() : join_refused;
  } else if (!rule.listens() && all_refused(status.output_reasons)) {
    status.state = RuleState::waiting;
    status.reason = status.output_reasons.front().after("no output can be used: ");
  } else if (const auto refusal = first_refusal(status); !refusal.empty()) {
    status.reason = refusal.after("in part: ");
  }
  return status;
}

RuleStatus with_findings(RuleStatus status, const RuleFindings& findings) {
  if (status.state != RuleState::active) return status;
  for (const auto& [state, finding] : {std::pair{RuleState::silent, &findings.silence},
                                       {RuleState::looping, &findings.loop},
                                       {RuleState::degraded, &findings.degradation}}) {
    if (finding->empty()) continue;
    status.state = state;
    status.reason = status.reason.empty() ? Reason(*finding) : status.reason.after(*finding + "; ");
    break;
  }
  return status;
}

RxKey rx_key(const Input& input, const Interface& interface) noexcept {
  RxKey key{interface.index, interface.incarnation, kind_of(input)};
  key.all_protocols =
      interface.master_kind == MasterKind::bridge && key.kind.vlan == 0 && !key.kind.local;
  return key;
}

TxKey tx_key(const Output& output, const Interface& interface) noexcept {
  auto key = kind_of(output);
  key.interface_index = interface.index;
  return key;
}

const IpAddress* source_address(const Output& output, const Interfaces& interfaces) {
  const auto& source = output.source;
  if (source.mode != Source::Mode::address)
    return interfaces.find(output.interface)->source(output.destination);
  return interfaces.has(source.address) ? &source.address : nullptr;
}

}  // namespace mcr
