// Snooping switches forget memberships where no querier asks for them, and the stream ends minutes
// after the join. Leaving and joining again would make the kernel report anew, but cut the stream.
// So the reports that would answer a general query are sent unasked (RFC 3376, section 5.2; RFC
// 3810, section 6.2), and no membership is touched.
#include "mcr/control/igmp_refresh.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/host/igmp_report_socket.hpp"

namespace mcr {

namespace {

constexpr std::size_t ip_headers = 64;  // with options, either family
constexpr std::size_t least_mtu = 256;
/// Ticks come once a second, a little early or late.
constexpr std::chrono::milliseconds half_a_tick{500};

/// The version in which the kernel itself reports there. We cannot speak IGMPv1 and use IGMPv2
/// then.
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

GroupReports group_reports(const std::vector<std::pair<Group, Membership>>& memberships) {
  GroupReports reports;
  for (const auto& [group, membership] : memberships) {
    if (membership.state != MembershipState::joined) continue;
    auto& list = reports[{group.interface, group.group.family()}];
    // Sorted: "any source" stands before single sources, and includes them.
    if (list.empty() || list.back().group != group.group)
      list.push_back({group.group, {}});
    else if (list.back().sources.empty())
      continue;
    if (group.source) list.back().sources.push_back(group.source);
  }
  return reports;
}

void IgmpRefresh::tick(std::chrono::microseconds interval, const Memberships& memberships,
                       const Interfaces& interfaces, Clock::time_point now) {
  if (interval.count() == 0 || now - reported_at_ < interval - half_a_tick) return;
  reported_at_ = now;
  for (const auto& [where, groups] : group_reports(memberships.all())) {
    const auto* interface = interfaces.find(where.first);
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
