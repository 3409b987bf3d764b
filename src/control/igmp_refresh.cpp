// `rejoin`: where no querier asks for them, snooping switches forget memberships, and the stream
// ends minutes after the join. To leave and to join again would make the kernel report anew, but
// cut the stream; so the reports that answer a query are sent unasked, and no membership is
// touched.
#include <algorithm>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/control/relay.hpp"
#include "mcr/host/igmp_report_socket.hpp"

namespace mcr {

namespace {

constexpr std::size_t ip_headers = 64;  // with options, either family
constexpr std::size_t least_mtu = 256;
/// Ticks come once a second, a little early or late.
constexpr std::chrono::milliseconds half_a_tick{500};

/// As the kernel itself reports there; where that is IGMPv1, too old for us, the next.
ReportVersion version_at(const Interface& interface, Family family) {
  if (family == Family::ipv6) return ReportVersion::mld2;
  const auto version = igmp_version(interface.name);
  return version == 1 || version == 2 ? ReportVersion::igmp2 : ReportVersion::igmp3;
}

void report(const Interface& interface, Family family, std::span<const GroupReport> groups) {
  const auto version = version_at(interface, family);
  const auto most_bytes = std::max<std::size_t>(interface.mtu, least_mtu) - ip_headers;
  const auto socket = open_report_socket(interface.name, interface.index, family);
  for (const auto& message : membership_reports(groups, version, most_bytes))
    if (const int error = send_report(socket, interface.index, message); error != 0)
      throw OsError(error, "send");
}

}  // namespace

void Relay::refresh_igmp(Clock::time_point now) {
  const auto interval = config_.daemon.rejoin;
  if (interval.count() == 0 || now - reported_at_ < interval - half_a_tick) return;
  reported_at_ = now;
  std::map<std::pair<std::string, Family>, std::vector<GroupReport>> reports;
  for (const auto& [group, membership] : memberships_.all()) {
    if (membership.state != MembershipState::joined) continue;
    auto& list = reports[{group.interface, group.group.family()}];
    // Sorted: "any source" stands before single ones, and says more.
    if (list.empty() || list.back().group != group.group)
      list.push_back({group.group, {}});
    else if (list.back().sources.empty())
      continue;
    if (group.source) list.back().sources.push_back(group.source);
  }
  for (const auto& [where, groups] : reports) {
    const auto* interface = interfaces_.find(where.first);
    if (interface == nullptr || !interface->up) continue;
    try {
      report(*interface, where.second, groups);
    } catch (const OsError& error) {
      log::warning("membership report failed: interface={} error={}", interface->name,
                   log::value(error.what()));
    }
  }
}

}  // namespace mcr
