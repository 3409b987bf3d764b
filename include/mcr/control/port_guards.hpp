// The ports of unicast inputs. Control thread only.
#pragma once

#include <compare>
#include <map>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

/// Packet sockets see a datagram without taking it: somebody must own its port, or the host answers
/// the sender with an ICMP refusal. That may be another program; else it is us.
class PortGuards {
 public:
  /// An address and port of this host. A link-local address may be that of several interfaces.
  struct Place {
    Endpoint endpoint;
    unsigned scope = 0;  ///< interface index of a link-local address, else 0

    auto operator<=>(const Place&) const = default;
  };

  /// Holds what the table takes for addresses of this host, besides what is held already. What
  /// cannot be held is logged once.
  void hold(const RuleTable& table);
  /// Lets go of what the table does not take.
  void release(const RuleTable& table);
  /// Tries again what could not be held.
  void retry();

 private:
  struct Port {
    UniqueFd socket;
    bool told = false;
  };

  std::map<Place, Port> ports_;
};

}  // namespace mcr
