#include "mcr/interfaces.hpp"

#include <algorithm>
#include <utility>

namespace mcr {

const IpAddress* Interface::source(Family family) const noexcept {
  auto found = std::ranges::find(addresses, family, &IpAddress::family);
  return found == addresses.end() ? nullptr : &*found;
}

Interfaces::Interfaces(std::vector<Interface> interfaces) : interfaces_(std::move(interfaces)) {
  std::ranges::sort(interfaces_, {}, &Interface::index);
}

const Interface* Interfaces::find(std::string_view name) const noexcept {
  auto found = std::ranges::find(interfaces_, name, &Interface::name);
  return found == interfaces_.end() ? nullptr : &*found;
}

const Interface* Interfaces::find(unsigned index) const noexcept {
  auto found = std::ranges::lower_bound(interfaces_, index, {}, &Interface::index);
  return found == interfaces_.end() || found->index != index ? nullptr : &*found;
}

bool Interfaces::has(const IpAddress& address) const noexcept {
  return std::ranges::any_of(interfaces_, [&](const Interface& interface) {
    return std::ranges::find(interface.addresses, address) != interface.addresses.end();
  });
}

}  // namespace mcr
