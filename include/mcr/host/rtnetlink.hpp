// The messages of rtnetlink(7) as values. Only reads memory; netlink.hpp talks to the kernel.
// Nothing outside the message is read, whatever its lengths claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "mcr/host/interfaces.hpp"
#include "mcr/host/link_stats.hpp"

namespace mcr::rtnetlink {

/// One message from its nlmsghdr on, aligned as that is.
using Message = std::span<const std::byte>;

/// An address of the interface of that index.
struct Address {
  unsigned index = 0;
  /// The kernel's own order of source addresses (addr(7), RFC 6724): wide scope first, then what is
  /// not deprecated, then what is not secondary.
  std::tuple<unsigned, bool, bool> rank;
  IpAddress address;
  IpAddress broadcast{};  ///< of its subnet; none: it has none
};

/// A queueing discipline of the egress of the interface of that index.
struct Discipline {
  unsigned index = 0;
  bool root = false;
  bool shapes = false;  ///< see Interface::shaped
  std::uint64_t drops = 0;
};

/// RTM_NEWLINK. No value: the message is another, has no name, or is too short. Sets neither
/// `incarnation`, `shaped`, `segments` nor `addresses`.
[[nodiscard]] std::optional<Interface> parse_link(Message message);
/// RTM_NEWLINK, its counters; `qdisc_drops` stays 0.
[[nodiscard]] std::optional<LinkStats> parse_link_stats(Message message);
/// RTM_NEWADDR. No value also for an address that is tentative (RFC 4862) or a duplicate.
[[nodiscard]] std::optional<Address> parse_address(Message message);
/// RTM_NEWQDISC. No value for what hangs at the ingress: it has no part in sending.
[[nodiscard]] std::optional<Discipline> parse_discipline(Message message);
/// RTM_DELLINK: the index of a link that is gone. No value when a port has only left its bridge.
[[nodiscard]] std::optional<unsigned> parse_deleted_link(Message message);

/// The links with their addresses, best first, and whether one is shaped.
[[nodiscard]] Interfaces combine(std::vector<Interface> links, std::vector<Address> addresses,
                                 const std::vector<Discipline>& disciplines);
/// The links' counters with the drops of their root disciplines, sorted by index.
[[nodiscard]] std::vector<LinkStats> combine(std::vector<LinkStats> links,
                                             const std::vector<Discipline>& disciplines);

}  // namespace mcr::rtnetlink
