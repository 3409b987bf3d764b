// Outputs by the name of a host become outputs by its addresses. Pure; control thread only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

class Interfaces;
struct Rule;

/// Knowledge of the name of a host.
struct HostAddresses {
  std::vector<IpAddress> addresses{};  ///< sorted, unique, at most limits::addresses_per_host
  std::string trouble{};               ///< why there is none

  friend bool operator==(const HostAddresses&, const HostAddresses&) = default;
};
using HostBook = std::map<std::string, HostAddresses, std::less<>>;

/// Puts outputs with an address in the place of each one with a host: as configured, or as an
/// earlier call has left them. Where none is known, an output without one remains, with the reason.
/// An address that cannot be sent to has its output, too, with its reason. Rules keep within
/// limits::outputs_per_rule, and all of them within limits::outputs.
void put_addresses(std::vector<Rule>& rules, const HostBook& hosts, const Interfaces& interfaces);

}  // namespace mcr
