#include "mcr/config/destinations.hpp"

#include <bit>

#include "mcr/base/prefix.hpp"

namespace mcr {

bool Destinations::overlaps(const Destinations& other) const noexcept {
  if (first.port >= other.first.port + other.ports || other.first.port >= first.port + ports)
    return false;
  return first.address <= other.first.address.plus(other.addresses - 1) &&
         other.first.address <= first.address.plus(addresses - 1);
}

std::string Destinations::address_str() const {
  const auto bits = Prefix::width(first.address.family());
  return Prefix(first.address, bits - static_cast<unsigned>(std::countr_zero(addresses))).str();
}

std::string Destinations::port_str() const {
  return ports == 1 ? fmt::format("{}", first.port)
                    : fmt::format("{}-{}", first.port, first.port + ports - 1);
}

std::string Destinations::str() const {
  return first.address.is_v6() ? fmt::format("[{}]:{}", address_str(), port_str())
                               : fmt::format("{}:{}", address_str(), port_str());
}

}  // namespace mcr
