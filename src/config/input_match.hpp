// The datagrams that one input takes: those to one endpoint, on one interface, untagged or in one
// VLAN. Two inputs with equal matches compete; an output with the match of an input feeds it.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "mcr/base/address.hpp"

namespace mcr {

/// Borrows the interface's name. A key of hash tables.
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
  std::size_t operator()(const InputMatch& match) const noexcept {
    std::size_t hash = std::hash<std::string_view>{}(match.interface);
    hash = hash * 31 + std::hash<IpAddress>{}(match.destination);
    return (hash * 31 + match.port) * 31 + match.vlan;
  }
};

}  // namespace mcr
