// IP addresses and endpoints, IPv4 and IPv6 in one type.
// Address bytes are in network order, ports in host order.
#pragma once

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mcr {

enum class Family : std::uint8_t { none = 0, ipv4 = AF_INET, ipv6 = AF_INET6 };

/// Scopes of IPv6 multicast (RFC 7346): how far a group reaches.
namespace scope {
inline constexpr std::uint8_t reserved = 0;
inline constexpr std::uint8_t interface_local = 1;
inline constexpr std::uint8_t link_local = 2;
}  // namespace scope

/// An IPv4 or IPv6 address; the default is none at all.
class IpAddress {
 public:
  constexpr IpAddress() noexcept = default;

  /// From the bytes as they stand in a header: 4 or 16 of them.
  static IpAddress v4(std::span<const std::uint8_t, 4> bytes) noexcept;
  static IpAddress v6(std::span<const std::uint8_t, 16> bytes) noexcept;
  /// From an integer in host order: 0xEF010101 is 239.1.1.1.
  static IpAddress v4(std::uint32_t host_order) noexcept;

  /// Reads "239.1.1.1" or "ff05::1" (inet_pton(3)); nothing else, no names.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::ipv4; }
  [[nodiscard]] bool is_v6() const noexcept { return family_ == Family::ipv6; }
  [[nodiscard]] explicit operator bool() const noexcept { return family_ != Family::none; }

  /// 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291).
  [[nodiscard]] bool is_multicast() const noexcept;
  /// 0.0.0.0 or ::.
  [[nodiscard]] bool is_unspecified() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;
  /// The scope of an IPv6 group: 0 to 15.
  [[nodiscard]] std::uint8_t multicast_scope() const noexcept;
  /// IPv6 that means nothing beyond its link: fe80::/10 (RFC 4291), or a group of such a scope.
  /// IPv4 is never treated so.
  [[nodiscard]] bool is_link_local_v6() const noexcept;
  /// The IPv4 address in ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).
  [[nodiscard]] std::optional<IpAddress> mapped_v4() const noexcept;
  /// 255.255.255.255; IPv6 has none.
  [[nodiscard]] bool is_broadcast() const noexcept;

  /// The 4 or 16 bytes in network order.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;
  /// An IPv4 address as an integer in host order.
  [[nodiscard]] std::uint32_t to_v4() const noexcept;

  /// The address N further on (groups of `gen --streams`, mapped prefixes).
  [[nodiscard]] IpAddress plus(std::uint32_t n) const noexcept;

  [[nodiscard]] std::string str() const;

  friend bool operator==(const IpAddress&, const IpAddress&) noexcept = default;
  friend std::strong_ordering operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  Family family_ = Family::none;
  std::array<std::uint8_t, 16> bytes_{};
};

/// 255.255.255.255 (RFC 919): all hosts of a link.
extern const IpAddress limited_broadcast;

/// An address and a port.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// Reads "127.0.0.1:9464" or "[::1]:9464", with a port from 1 to 65535; nothing else.
  static std::optional<Endpoint> parse(std::string_view text);

  friend bool operator==(const Endpoint&, const Endpoint&) noexcept = default;
  friend std::strong_ordering operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

/// An address for the socket calls, of either family, with its length in bytes.
struct SocketAddress {
  union {
    sockaddr generic;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t length;

  SocketAddress() noexcept : v6{}, length(0) {}
  /// `scope` is the interface index; only link-local IPv6 addresses look at it.
  explicit SocketAddress(const Endpoint& endpoint, unsigned scope = 0) noexcept;

  [[nodiscard]] Endpoint endpoint() const noexcept;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
    return a.length == b.length && std::memcmp(&a.v6, &b.v6, a.length) == 0;
  }
};

}  // namespace mcr

template <>
struct std::hash<mcr::IpAddress> {
  std::size_t operator()(const mcr::IpAddress& address) const noexcept {
    auto bytes = address.bytes();
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};

template <>
struct fmt::formatter<mcr::IpAddress> : fmt::formatter<std::string> {
  auto format(const mcr::IpAddress& address, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(address.str(), context);
  }
};

/// "239.1.1.1:5000", "[ff05::1]:5000".
template <>
struct fmt::formatter<mcr::Endpoint> : fmt::formatter<std::string> {
  auto format(const mcr::Endpoint& endpoint, fmt::format_context& context) const {
    auto text = endpoint.address.is_v6() ? fmt::format("[{}]:{}", endpoint.address, endpoint.port)
                                         : fmt::format("{}:{}", endpoint.address, endpoint.port);
    return fmt::formatter<std::string>::format(text, context);
  }
};
