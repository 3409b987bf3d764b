#include "doctor_discovery.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

bool has_searches(ReflectorKind kind) {
  return kind == ReflectorKind::ssdp || kind == ReflectorKind::ws_discovery;
}

bool reflects(std::span<const Rule> rules, const auto& is_of) {
  return std::ranges::any_of(rules, [&](const Rule& rule) {
    return rule.enabled && !rule.reflector.empty() && is_of(rule.kind);
  });
}

}  // namespace

bool is_flooded(const IpAddress& group) noexcept {
  constexpr std::uint32_t local_control = 0xE00000;  // 224.0.0.0/24
  return group.is_v4() ? group.to_v4() >> 8U == local_control : group.is_link_local_v6();
}

void judge_discovery(std::span<const Rule> rules, const HostFacts& host,
                     std::vector<Finding>& findings) {
  const bool mdns = reflects(rules, [](ReflectorKind kind) { return kind == ReflectorKind::mdns; });
  if (mdns && host.avahi_reflects)
    findings.push_back({Severity::warning, "reflector",
                        "Avahi reflects mDNS on this host, too: each message comes twice, and both "
                        "take each other's copies for news",
                        "enable-reflector=no in /etc/avahi/avahi-daemon.conf"});
  else if (mdns)
    findings.push_back({Severity::ok, "reflector", "Avahi reflects nothing beside MCR", ""});
  if (reflects(rules, has_searches))
    findings.push_back(
        {Severity::note, "reflector",
         "searches and their answers come to sockets of this host: a firewall must let them in",
         "nft: udp dport { 1900, 3702 } accept, and answers to ports above 1024 of the segments"});
}

}  // namespace mcr
