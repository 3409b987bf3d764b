// Sends membership reports beside the kernel's own (raw(7)): they change no membership. Needs
// CAP_NET_RAW. Control thread only.
#pragma once

#include <istream>
#include <string>

#include "mcr/base/fd.hpp"
#include "mcr/host/igmp_report.hpp"

namespace mcr {

/// As RFC 3376 and RFC 3810 want reports: with Router Alert, hop limit 1, out of that interface.
/// Throws OsError.
[[nodiscard]] UniqueFd open_report_socket(const std::string& interface, unsigned interface_index,
                                          Family family);

/// Returns 0 or the errno value.
[[nodiscard]] int send_report(Fd socket, unsigned interface_index,
                              const ReportMessage& message) noexcept;

/// For send_report_from_nobody(): a packet socket that receives nothing. Throws OsError.
[[nodiscard]] UniqueFd open_packet_report_socket(const std::string& interface);

/// Sends the report as packet_from_nobody() writes it, from 0.0.0.0 or ::. By send_report() the
/// kernel would take another interface's address where this one has none. Returns 0 or errno.
[[nodiscard]] int send_report_from_nobody(Fd socket, unsigned interface_index,
                                          const ReportMessage& message) noexcept;

/// The version of IGMP, 1 to 3, that the kernel itself speaks there: older queriers or the sysctl
/// force_igmp_version lower it. 0: it does not say.
[[nodiscard]] unsigned igmp_version(const std::string& interface);
[[nodiscard]] unsigned igmp_version(const std::string& interface, std::istream& proc_net_igmp);

}  // namespace mcr
