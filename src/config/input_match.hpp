// A place where datagrams pass: addressed to one endpoint on one interface, untagged or in a VLAN.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "mcr/config/config.hpp"

namespace mcr {

/// Borrows the interface's name.
struct InputMatch {
  std::string_view interface;
  IpAddress destination;
  std::uint16_t port = 0;
  std::uint16_t vlan = 0;

  InputMatch(std::string_view on, const Endpoint& endpoint, std::uint16_t in_vlan = 0)
      : interface(on), destination(endpoint.address), port(endpoint.port), vlan(in_vlan) {}

  friend bool operator==(const InputMatch&, const InputMatch&) = default;
};

struct InputMatchHash {
  std::size_t operator()(const InputMatch& flow) const noexcept {
    std::size_t hash = std::hash<std::string_view>{}(flow.interface);
    hash = hash * 31 + std::hash<IpAddress>{}(flow.destination);
    return (hash * 31 + flow.port) * 31 + flow.vlan;
  }
};

}  // namespace mcr
