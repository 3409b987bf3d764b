// Membership reports in their wire format, for reports that the kernel does not send by itself:
// IGMPv2 (RFC 2236), IGMPv3 (RFC 3376, 4.2) and MLDv2 (RFC 3810, 5.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

/// A group that this host receives: from `sources`, or from any sender but the excluded ones if
/// there are none.
struct GroupReport {
  IpAddress group;
  std::vector<IpAddress> sources;
  std::vector<IpAddress> excluded{};  ///< so few that one record holds them
};

enum class ReportVersion : std::uint8_t { igmp2, igmp3, mld2 };

/// The payload of one IP packet, and where to. The checksum of MLD is the kernel's to fill in.
struct ReportMessage {
  IpAddress destination;
  std::vector<std::uint8_t> bytes;
};

/// Reports the present state of the groups, which are all of the version's family. As many messages
/// as it takes with `most_bytes` (at least 64) each; more sources than fit go into several records.
[[nodiscard]] std::vector<ReportMessage> membership_reports(std::span<const GroupReport> groups,
                                                            ReportVersion version,
                                                            std::size_t most_bytes);

/// The message as a whole IP packet from nobody (0.0.0.0 or ::), as hosts report that have no
/// address yet: RFC 3376, 4.2.13; RFC 3810, 5.2.13. With Router Alert and hop limit 1; complete.
[[nodiscard]] std::vector<std::uint8_t> packet_from_nobody(const ReportMessage& message);

}  // namespace mcr
