// Snooping switches forget memberships where no querier asks for them, and the stream ends minutes
// after the join. Leaving and joining again would make the kernel report anew, but cut the stream.
// So the reports that would answer a general query are sent unasked (RFC 3376, section 5.2; RFC
// 3810, section 6.2), and no membership is touched.
//
// An interface that has no address yet reports from nobody, as the kernel does there. Some switches
// ignore that, and the kernel does not report again when the address comes (of IPv6 it does, after
// duplicate detection): so we do.
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

/// MLD is sent from link-local addresses only (RFC 3810, 5.2.13).
bool may_report_from(const IpAddress& address, Family family) {
  return family == Family::ipv6 ? address.is_link_local_v6() : address.is_v4();
}

bool has_address(const Interface& interface, Family family) {
  return std::ranges::any_of(interface.addresses, [family](const IpAddress& address) {
    return may_report_from(address, family);
  });
}

void report(const Interface& interface, Family family, std::span<const GroupReport> groups) {
  const auto version = version_at(interface, family);
  const auto most_bytes = std::max<std::size_t>(interface.mtu, least_mtu) - ip_headers;
  const bool from_nobody = !has_address(interface, family);
  const auto socket = from_nobody ? open_packet_report_socket(interface.name)
                                  : open_report_socket(interface.name, interface.index, family);
  const auto send = from_nobody ? send_report_from_nobody : send_report;
  for (const auto& message : membership_reports(groups, version, most_bytes))
    if (const int error = send(socket, interface.index, message); error != 0)
      throw OsError(error, "send");
}

std::vector<IpAddress> sources_of(const Group& group) {
  return group.source ? std::vector{group.source} : std::vector<IpAddress>();
}

/// The host receives what any of its memberships wants.
void leave_out_less(std::vector<IpAddress>& excluded, const Group& other) {
  std::erase_if(excluded, [&](const IpAddress& source) {
    return other.source ? source == other.source
                        : !std::ranges::binary_search(other.excluded, source);
  });
}

}  // namespace

GroupReports group_reports(const std::vector<std::pair<Group, Membership>>& memberships) {
  GroupReports reports;
  for (const auto& [group, membership] : memberships) {
    if (membership.state != MembershipState::joined) continue;
    auto& list = reports[{group.interface, group.group.family()}];
    // Sorted: "any source" stands before single sources, and includes them.
    if (list.empty() || list.back().group != group.group)
      list.push_back({group.group, sources_of(group), group.excluded});
    else if (list.back().sources.empty())
      leave_out_less(list.back().excluded, group);
    else
      list.back().sources.push_back(group.source);
  }
  return reports;
}

void IgmpRefresh::tick(std::chrono::microseconds interval, const Memberships& memberships,
                       const Interfaces& interfaces, Clock::time_point now) {
  const auto late = follow_addresses(interfaces);
  const bool due = interval.count() != 0 && now - reported_at_ >= interval - half_a_tick;
  if (!due && late.empty()) return;
  if (due) reported_at_ = now;
  for (const auto& [where, groups] : group_reports(memberships.all())) {
    const auto* interface = interfaces.find(where.first);
    if (interface == nullptr || !interface->up) continue;
    if (!due && (where.second == Family::ipv6 || !late.contains(where.first))) continue;
    try {
      report(*interface, where.second, groups);
    } catch (const OsError& error) {
      log::warning("membership report failed: interface={} error={}", interface->name,
                   log::value(error.what()));
    }
  }
}

/// The names of those that have got their first IPv4 address since the last call.
std::set<std::string> IgmpRefresh::follow_addresses(const Interfaces& interfaces) {
  std::set<std::string> late;
  std::map<unsigned, bool> now;
  for (const auto& interface : interfaces.all()) {
    const bool has = now[interface.index] = has_address(interface, Family::ipv4);
    const auto before = has_address_.find(interface.index);
    if (has && before != has_address_.end() && !before->second) late.insert(interface.name);
  }
  has_address_ = std::move(now);
  return late;
}

}  // namespace mcr
