// Finds the host to which the kernel sends a unicast datagram next, and its state: rtnetlink(7),
// routes and neighbours (arp(7)). Needs no privilege. Control thread only.
#pragma once

#include <compare>
#include <cstdint>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

/// A neighbour's state, in fewer words than the kernel's (NUD_*).
enum class Neighbour : std::uint8_t {
  unknown,    ///< there is no entry: nothing has been sent there lately
  resolving,  ///< asked, and no answer yet (NUD_INCOMPLETE)
  usable,     ///< it answers or did lately, or the link needs no answer (NUD_NOARP)
  failed,     ///< it does not answer (NUD_FAILED)
};

struct NextHop {
  /// Why there is no way: the errno value of the route (ENETUNREACH, EACCES of a prohibit route).
  int error = 0;
  /// No route by that interface leads there: the kernel takes the destination for a neighbour.
  bool assumed = false;
  IpAddress address;  ///< the gateway, or the destination itself
  Neighbour neighbour = Neighbour::unknown;

  friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// How a datagram leaves.
struct Way {
  unsigned interface_index = 0;
  IpAddress destination;  ///< unicast
  IpAddress source;       ///< an address of this host; none: not known

  friend auto operator<=>(const Way&, const Way&) = default;
};

class NextHopLookup {
 public:
  /// Opens the socket. Throws OsError.
  NextHopLookup();

  /// Throws OsError if the kernel gives no answer.
  [[nodiscard]] NextHop find(const Way& way);

 private:
  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace mcr
