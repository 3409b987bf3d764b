#include "mcr/control/host_view.hpp"

#include "mcr/config/rule.hpp"

namespace mcr {

HostView HostView::in(const Interfaces& host) const {
  HostView view;
  for (const auto& [name, before] : interfaces) {
    const auto* now = host.find(name);
    view.interfaces.emplace(name, now == nullptr ? std::nullopt : std::optional(*now));
  }
  for (const auto& [address, before] : addresses)
    view.addresses.emplace(address, host.has(address));
  return view;
}

HostView view_of(std::span<const Rule> rules, const Interfaces& host) {
  HostView names;
  for (const auto& name : interfaces_of(rules))
    names.interfaces.emplace(name, std::nullopt);
  for (const auto& rule : rules) {
    for (const auto& input : rule.inputs)
      if (!input.destination.is_multicast() && !input.local)
        names.addresses.emplace(input.destination, false);
    for (const auto& output : rule.outputs) {
      if (output.source.mode == Source::Mode::address)
        names.addresses.emplace(output.source.address, false);
      if (output.host && output.destination) names.addresses.emplace(output.destination, false);
    }
  }
  return names.in(host);
}

}  // namespace mcr
