// The part of the host that a configuration depends on. Hosts run containers, whose links come and
// go all day: a change that no rule can see must not cost a new rule table.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "mcr/base/address.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

struct Rule;

/// Two equal views of a configuration give the same joins, the same states of rules and the same
/// rule table.
struct HostView {
  /// Those that rules name, nothing for one that does not exist. A table takes index, MTU,
  /// addresses and so on from them.
  std::map<std::string, std::optional<Interface>> interfaces;
  /// Addresses that rules name, and whether some interface of the host has them: those of unicast
  /// inputs, of outputs with a `source`, and those that the hosts of outputs have.
  std::map<IpAddress, bool> addresses;

  /// The same names and addresses looked up in another moment's interfaces.
  [[nodiscard]] HostView in(const Interfaces& host) const;

  friend bool operator==(const HostView&, const HostView&) = default;
};

[[nodiscard]] HostView view_of(std::span<const Rule> rules, const Interfaces& host);

}  // namespace mcr
