#include "doctor_discovery.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/config/config.hpp"

namespace mcr {

namespace {

bool has_searches(ReflectorKind kind) {
  return kind == ReflectorKind::ssdp || kind == ReflectorKind::ws_discovery;
}

bool reflects(const Config& config, const auto& is_of) {
  return std::ranges::any_of(config.rules, [&](const Rule& rule) {
    return rule.enabled && !rule.reflector.empty() && is_of(rule.kind);
  });
}

}  // namespace

bool is_flooded(const IpAddress& group) noexcept {
  constexpr std::uint32_t local_control = 0xE00000;  // 224.0.0.0/24
  return group.is_v4() ? group.to_v4() >> 8U == local_control : group.is_link_local_v6();
}

void judge_discovery(const Config& config, const HostFacts& host, std::vector<Finding>& findings) {
  const bool mdns =
      reflects(config, [](ReflectorKind kind) { return kind == ReflectorKind::mdns; });
  if (mdns && host.avahi_reflects)
    findings.push_back({Severity::warning, "reflector",
                        "Avahi reflects mDNS on this host, too: each message comes twice, and both "
                        "take each other's copies for news",
                        "enable-reflector=no in /etc/avahi/avahi-daemon.conf"});
  else if (mdns)
    findings.push_back({Severity::ok, "reflector", "Avahi reflects nothing beside MCR", ""});
  if (reflects(config, has_searches))
    findings.push_back(
        {Severity::note, "reflector",
         "searches and their answers come to sockets of this host: a firewall must let them in",
         "nft: udp dport { 1900, 3702 } accept, and answers to ports above 1024 of the segments"});
}

}  // namespace mcr
