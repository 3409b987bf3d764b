// `rejoin`: reports memberships unasked, for networks without a querier; and once where the address
// to report from came late. Theory in igmp_refresh.cpp. Control thread only.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/host/igmp_report.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

/// By interface name and family.
using GroupReports = std::map<std::pair<std::string, Family>, std::vector<GroupReport>>;

/// The report of what is joined, as the answer to a general query has it: one record a group.
/// `memberships` as Memberships::all() gives them.
[[nodiscard]] GroupReports group_reports(
    const std::vector<std::pair<Group, Membership>>& memberships);

class IgmpRefresh {
 public:
  using Clock = std::chrono::steady_clock;

  /// Call it once a second. Sends the reports when `interval` is over (0: never), and those of an
  /// interface that has got its first IPv4 address. What cannot be sent is logged.
  void tick(std::chrono::microseconds interval, const Memberships& memberships,
            const Interfaces& interfaces, Clock::time_point now);

 private:
  [[nodiscard]] std::set<std::string> follow_addresses(const Interfaces& interfaces);

  Clock::time_point reported_at_;
  std::map<unsigned, bool> has_address_;  ///< by interface index: an IPv4 one
};

}  // namespace mcr
