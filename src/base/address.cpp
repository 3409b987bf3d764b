// An IPv6 address uses all 16 bytes of the array, an IPv4 one the first 4 and leaves the rest zero:
// so the defaulted comparison is right for both. Only inet_pton(3) and inet_ntop(3) know the text.
#include "mcr/base/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace mcr {

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> bytes) noexcept {
  IpAddress address;
  address.family_ = Family::ipv4;
  std::memcpy(address.bytes_.data(), bytes.data(), 4);
  return address;
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> bytes) noexcept {
  IpAddress address;
  address.family_ = Family::ipv6;
  std::memcpy(address.bytes_.data(), bytes.data(), 16);
  return address;
}

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
  const std::uint32_t network_order = htonl(host_order);
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &network_order, 4);
  return v4(bytes);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddress address;
  if (::inet_pton(AF_INET, terminated.c_str(), address.bytes_.data()) == 1) {
    address.family_ = Family::ipv4;
    return address;
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) {
    address.family_ = Family::ipv6;
    return address;
  }
  return std::nullopt;
}

bool IpAddress::is_multicast() const noexcept {
  if (is_v4()) return (bytes_[0] & 0xF0U) == 0xE0U;
  return is_v6() && bytes_[0] == 0xFFU;
}

bool IpAddress::is_unspecified() const noexcept {
  return family_ != Family::none &&
         std::ranges::all_of(bytes(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) return bytes_[0] == 127;
  return is_v6() && bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.begin() + 15,
                     [](std::uint8_t byte) { return byte == 0; });
}

std::uint8_t IpAddress::multicast_scope() const noexcept {
  return bytes_[1] & 0x0FU;
}

bool IpAddress::is_link_local_v6() const noexcept {
  if (!is_v6()) return false;
  if (is_multicast()) return multicast_scope() <= scope::link_local;
  return bytes_[0] == 0xFEU && (bytes_[1] & 0xC0U) == 0x80U;
}

std::optional<IpAddress> IpAddress::mapped_v4() const noexcept {
  constexpr std::array<std::uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!is_v6() || !std::equal(prefix.begin(), prefix.end(), bytes_.begin())) return std::nullopt;
  return v4(std::span(bytes_).last<4>());
}

const IpAddress limited_broadcast = IpAddress::v4(0xFFFFFFFF);

bool IpAddress::is_broadcast() const noexcept {
  return is_v4() && to_v4() == 0xFFFFFFFFU;
}

std::span<const std::uint8_t> IpAddress::bytes() const noexcept {
  const std::size_t size = is_v4() ? 4 : is_v6() ? 16 : 0;
  return {bytes_.data(), size};
}

std::uint32_t IpAddress::to_v4() const noexcept {
  std::uint32_t network_order = 0;
  std::memcpy(&network_order, bytes_.data(), 4);
  return ntohl(network_order);
}

IpAddress IpAddress::plus(std::uint32_t n) const noexcept {
  IpAddress sum = *this;
  std::uint64_t carry = n;
  for (std::size_t i = bytes().size(); i-- > 0 && carry != 0; carry >>= 8) {
    carry += sum.bytes_[i];
    sum.bytes_[i] = static_cast<std::uint8_t>(carry & 0xFFU);
  }
  return sum;
}

std::string IpAddress::str() const {
  if (family_ == Family::none) return "-";
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(static_cast<int>(family_), bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data() + colon + 1, end, port);
  if (!address || address->is_v6() != bracketed || fault != std::errc() || stop != end || port == 0)
    return std::nullopt;
  return Endpoint{*address, port};
}

SocketAddress::SocketAddress(const Endpoint& endpoint, unsigned scope) noexcept : SocketAddress() {
  if (endpoint.address.is_v6()) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
    v6.sin6_scope_id = scope;
    length = sizeof v6;
  } else {
    v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    if (endpoint.address) std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
    length = sizeof v4;
  }
}

Endpoint SocketAddress::endpoint() const noexcept {
  std::array<std::uint8_t, 16> bytes{};
  if (generic.sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &v6.sin6_addr, 16);
    return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  std::memcpy(bytes.data(), &v4.sin_addr, 4);
  return {IpAddress::v4(std::span(bytes).first<4>()), ntohs(v4.sin_port)};
}

}  // namespace mcr
