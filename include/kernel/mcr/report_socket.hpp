// Sends membership reports beside the kernel's own (raw(7)): they change no membership. Needs
// CAP_NET_RAW. Control thread only.
#pragma once

#include <string>

#include "mcr/fd.hpp"
#include "mcr/membership_report.hpp"

namespace mcr {

/// As RFC 3376 and RFC 3810 want reports: with Router Alert, hop limit 1, out of that interface.
/// Throws OsError.
[[nodiscard]] UniqueFd open_report_socket(const std::string& interface, unsigned interface_index,
                                          Family family);

/// Returns 0 or the errno value.
[[nodiscard]] int send_report(Fd socket, unsigned interface_index,
                              const ReportMessage& message) noexcept;

/// The version of IGMP that the kernel itself uses there: older queriers or the sysctl
/// force_igmp_version make it IGMPv2.
[[nodiscard]] ReportVersion igmp_version(const std::string& interface);

}  // namespace mcr
