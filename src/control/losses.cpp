// What the kernel lost around us, by interface in use: for ExternalDrops.
#include <algorithm>
#include <set>

#include "mcr/control/relay.hpp"

namespace mcr {

std::vector<ExternalDropCount> Relay::external_drops(const std::vector<LinkStats>& links) const {
  std::set<std::string> inputs;
  std::set<std::string> outputs;
  for (const auto& rule : config_.rules) {
    for (const auto& input : rule.inputs)
      inputs.insert(input.interface);
    for (const auto& output : rule.outputs)
      outputs.insert(output.interface);
  }
  std::vector<ExternalDropCount> losses;
  for (const auto& link : links) {
    if (inputs.contains(link.name)) {
      losses.push_back({link.name, DropPlace::nic, link.rx_missed});
      losses.push_back({link.name, DropPlace::stack, link.rx_dropped});
      const auto counted = sockets_.counted().find(link.name);
      losses.push_back({link.name, DropPlace::socket,
                        counted == sockets_.counted().end() ? 0 : counted->second.dropped});
    }
    if (outputs.contains(link.name)) {
      losses.push_back({link.name, DropPlace::discipline, link.qdisc_drops});
      losses.push_back({link.name, DropPlace::driver, link.tx_dropped});
    }
  }
  return losses;
}

}  // namespace mcr
