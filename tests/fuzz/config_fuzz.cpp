// Whatever the text of a configuration file is, the answer is errors that stand inside the text,
// or a Config that compiles: each destination that the kernel filters pass is looked up.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mcr/base/error.hpp"
#include "mcr/config/config_difference.hpp"
#include "mcr/config/load.hpp"
#include "mcr/packet/filter.hpp"
#include "mcr/rules/compiler.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

/// A host that has every interface that the rules name.
mcr::Interfaces host_for(const mcr::Config& config) {
  std::vector<mcr::Interface> interfaces;
  for (const auto& name : interfaces_of(config.rules)) {
    mcr::Interface interface;
    interface.name = name;
    interface.index = static_cast<unsigned>(interfaces.size() + 1);
    interface.up = true;
    interface.mtu = 1500;
    interface.type = 1;  // ARPHRD_ETHER
    interface.addresses = {*mcr::IpAddress::parse("10.0.0.1"),
                           *mcr::IpAddress::parse("2001:db8::1")};
    interfaces.push_back(std::move(interface));
  }
  return mcr::Interfaces(std::move(interfaces));
}

void check_rules(const mcr::Config& config) {
  for (const auto& rule : config.rules)
    require(!rule.name.empty() && !rule.inputs.empty() && !rule.outputs.empty());
  require(mcr::compare_configs(config, config).unchanged == config.rules.size());
}

void check_table(const mcr::RuleTable& table) {
  for (const auto& rx : table.rx()) {
    for (const auto& destination : rx.destinations)
      require(!table.lookup(rx.slot, destination).empty());
    constexpr std::size_t most_instructions = 624;
    const auto filter =
        mcr::compile_filter(rx.destinations, rx.key, rx.link_header, most_instructions);
    require(!filter.empty() && filter.size() <= most_instructions);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto [config, errors] = mcr::parse_config(text, "fuzz.toml");
  for (const auto& error : errors)
    require(error.line != 0 && error.column != 0 && !error.message.empty());
  if (!errors.empty()) return 0;
  check_rules(config);
  const auto host = host_for(config);
  std::vector<mcr::RuleStatus> statuses;
  for (const auto& rule : config.rules)
    statuses.push_back(rule_status(rule, host, [](const mcr::Input&) { return mcr::Reason(); }));
  mcr::SlotAllocators allocators;
  try {
    check_table(compile_table(config.rules, host, statuses, allocators, 1));
  } catch (const mcr::Failure&) {  // an allocator of slots is full
  }
  return 0;
}
