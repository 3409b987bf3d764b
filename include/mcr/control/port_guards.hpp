// The ports of unicast inputs. Control thread only.
#pragma once

#include <compare>
#include <map>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

/// A packet socket sees a datagram without taking it from the host. If no program has its port, the
/// host answers the sender with an ICMP refusal. So we hold the port, unless another program does.
class PortGuards {
 public:
  /// An address and port of this host. A link-local address may be that of several interfaces.
  struct Place {
    Endpoint endpoint;
    unsigned scope = 0;  ///< interface index of a link-local address, else 0

    auto operator<=>(const Place&) const = default;
  };

  /// Holds the ports of the table's unicast inputs, and goes on holding the others. A port that
  /// cannot be held is logged once.
  void hold(const RuleTable& table);
  /// Gives up the ports that the table does not take.
  void release(const RuleTable& table);
  /// Tries again to hold the ports that could not be held.
  void retry();

 private:
  struct Port {
    UniqueFd socket;
    bool told = false;
  };

  std::map<Place, Port> ports_;
};

}  // namespace mcr
