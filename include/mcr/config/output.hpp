// An output of a rule.
#pragma once

#include <cstdint>
#include <string>

#include "mcr/base/address.hpp"
#include "mcr/config/destinations.hpp"
#include "mcr/config/header_fields.hpp"
#include "mcr/config/mdns_filter.hpp"
#include "mcr/config/output_host.hpp"
#include "mcr/config/rate_limit.hpp"

namespace mcr {

/// An output says where copies go. Every value is decided: defaults, and what it takes from the
/// rule's input, are filled in.
struct Output {
  std::string interface;
  IpAddress destination;  ///< a group, or a unicast address; none: that of `host` is not known
  std::uint16_t port = 0;
  Ttl ttl{};
  Dscp dscp{};
  Source source{};
  std::uint16_t source_port = 0;  ///< 0: the sender's with `preserve`, else the one of this run
  bool loopback = false;          ///< listeners on this host get the copies, too
  RateLimit limit{};
  std::uint32_t addresses = 1;  ///< as many as each input has, and mapped one to one; or 1
  std::uint32_t ports = 1;      ///< the same
  /// Several datagrams may leave as one message; false: `segmentation = "off"`.
  bool segmentation = true;
  MdnsFilter mdns{};
  OutputHost host{};

  [[nodiscard]] Destinations destinations() const {
    return {{destination, port}, addresses, ports};
  }
  /// "239.1.1.1:5000"; without an address "pods.example:5000".
  [[nodiscard]] std::string destination_str() const {
    return destination || !host ? destinations().str()
                                : fmt::format("{}:{}", host.name, destinations().port_str());
  }

  friend bool operator==(const Output&, const Output&) = default;
};

}  // namespace mcr
