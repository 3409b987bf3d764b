// The destinations of an input or output: one endpoint, or a block of groups and a range of ports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "mcr/base/address.hpp"

namespace mcr {

/// Consecutive addresses (their number is a power of two), each with the same consecutive ports.
struct Destinations {
  Endpoint first;
  std::uint32_t addresses = 1;
  std::uint32_t ports = 1;

  [[nodiscard]] std::size_t size() const noexcept { return std::size_t{addresses} * ports; }
  /// The n-th endpoint. All ports of the first address come first.
  [[nodiscard]] Endpoint at(std::size_t n) const noexcept {
    return at(static_cast<std::uint32_t>(n / ports), static_cast<std::uint32_t>(n % ports));
  }
  [[nodiscard]] Endpoint at(std::uint32_t address, std::uint32_t port) const noexcept {
    return {first.address.plus(address), static_cast<std::uint16_t>(first.port + port)};
  }
  /// The endpoint that the n-th of `other` maps to. Addresses, and ports, must be as many as those
  /// of `other`, or 1.
  [[nodiscard]] Endpoint mapped_from(const Destinations& other, std::size_t n) const noexcept {
    return at(addresses > 1 ? static_cast<std::uint32_t>(n / other.ports) : 0,
              ports > 1 ? static_cast<std::uint32_t>(n % other.ports) : 0);
  }
  [[nodiscard]] bool overlaps(const Destinations& other) const noexcept;

  /// "239.1.0.0/24", "239.1.1.1"
  [[nodiscard]] std::string address_str() const;
  /// "5000-5010", "5000"
  [[nodiscard]] std::string port_str() const;
  /// "239.1.0.0/24:5000-5010", "[ff15::/120]:5000"
  [[nodiscard]] std::string str() const;
};

}  // namespace mcr
