// The advice to an operator about each thing that can go wrong: the one table behind `mcr status
// RULE`, `mcr doctor`, the do="..." of log lines and mcr-status(1); a test compares the manual with
// it.
//
// It stands in this room because control, which logs, and status, which shows, both use it, and it
// knows the drop reasons.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mcr/packet/drop_reason.hpp"

namespace mcr {

enum class Trouble : std::uint8_t {
  interface_missing,
  interface_down,
  no_address,              ///< nothing to send from
  source_missing,          ///< an output's own `source` is no address of this host
  join_no_room,            ///< ENOBUFS, ENOMEM
  join_no_configuration,   ///< ENODEV
  join_refused,            ///< with any other errno
  joins_forbidden,         ///< net.ipv4.igmp_max_memberships is 0
  source_joins_forbidden,  ///< net.ipv4.igmp_max_msf is 0
  filter_too_large,        ///< for net.core.optmem_max
  receive_buffer_smaller,  ///< than asked for
  send_buffer_smaller,
  receive_buffer_full,  ///< kernel_drops
  nic_full,             ///< link_rx_missed
  backlog_full,         ///< a CPU's input queue
  discipline_drops,
  driver_drops,
  gro_refused,            ///< EPERM
  gro_wait_refused,       ///< gro_flush_timeout of sysfs
  source_port_taken,      ///< by a program that does not share it
  source_port_forbidden,  ///< EACCES: a port below net.ipv4.ip_unprivileged_port_start
  socket_refused,         ///< with any other errno
  memory_not_locked,      ///< RLIMIT_MEMLOCK
  next_hop_dead,          ///< EHOSTUNREACH: a neighbour does not answer
  no_route,
  host_not_resolved,  ///< the name of an output's host has no address that can be sent to
};
inline constexpr std::size_t troubles = 26;

/// A sentence, mostly with a command. The names are put in as they are, not escaped.
[[nodiscard]] std::string remedy(Trouble trouble, std::string_view interface = "IF",
                                 std::string_view address = "ADDRESS");

/// The trouble of a join that the kernel refused, by its errno.
[[nodiscard]] Trouble join_trouble(int error) noexcept;

/// The trouble of an output's socket that the kernel refused, by its errno.
[[nodiscard]] Trouble socket_trouble(int error) noexcept;

/// The trouble of an output that reaches nobody, by the errno of its reason.
[[nodiscard]] Trouble next_hop_trouble(int error) noexcept;

struct DropAdvice {
  std::string_view meaning;
  std::string_view remedy;
};
[[nodiscard]] const DropAdvice& advice_about(InputDrop reason) noexcept;
[[nodiscard]] const DropAdvice& advice_about(OutputDrop reason) noexcept;

}  // namespace mcr
