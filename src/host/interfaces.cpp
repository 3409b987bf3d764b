#include "mcr/host/interfaces.hpp"

#include <net/if_arp.h>

#include <algorithm>
#include <utility>

namespace mcr {

namespace {

constexpr std::uint16_t arphrd_rawip = 519;   // ARPHRD_RAWIP: cellular modems
constexpr std::uint16_t arphrd_ip6gre = 823;  // ARPHRD_IP6GRE

}  // namespace

const IpAddress* Interface::source(const IpAddress& destination) const noexcept {
  const bool on_link = destination.is_link_local_v6();
  const auto first = [&](bool link_local) {
    const auto found = std::ranges::find_if(addresses, [&](const IpAddress& address) {
      return address.family() == destination.family() && address.is_link_local_v6() == link_local;
    });
    return found == addresses.end() ? nullptr : &*found;
  };
  const auto* best = first(on_link);
  return best == nullptr && on_link ? first(false) : best;
}

bool Interface::is_broadcast(const IpAddress& address) const noexcept {
  return address.is_broadcast() || std::ranges::find(broadcasts, address) != broadcasts.end();
}

// A packet socket shows a link's header only where the device can make one (dev_has_header()).
// Tunnels have none but for GRE without a fixed remote end, which shows the outer IP header.
std::optional<std::uint8_t> Interface::link_header() const noexcept {
  switch (type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return 14;
    case ARPHRD_NONE:  // tun, WireGuard
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:  // ipip
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case arphrd_rawip:
      return 0;
    case ARPHRD_IPGRE:
    case arphrd_ip6gre:
      return point_to_point ? std::optional<std::uint8_t>(0) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Interfaces::Interfaces(std::vector<Interface> interfaces) : interfaces_(std::move(interfaces)) {
  std::ranges::sort(interfaces_, {}, &Interface::index);
}

const Interface* Interfaces::find(std::string_view name) const noexcept {
  auto found = std::ranges::find(interfaces_, name, &Interface::name);
  if (found == interfaces_.end())
    found = std::ranges::find_if(interfaces_, [&](const Interface& interface) {
      return std::ranges::find(interface.alt_names, name) != interface.alt_names.end();
    });
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
