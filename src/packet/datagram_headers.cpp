#include "mcr/packet/datagram_headers.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "mcr/base/inet_checksum.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

namespace {

constexpr std::size_t ipv4_header = 20;  // without options
constexpr std::size_t ipv6_header = 40;
constexpr std::size_t udp_header = 8;
constexpr unsigned version_6 = 6;

void put_u16(std::span<std::byte> bytes, std::size_t at, std::size_t value) noexcept {
  bytes[at] = static_cast<std::byte>(value >> 8U);
  bytes[at + 1] = static_cast<std::byte>(value);
}

void fit_ipv4(std::span<std::byte> ip, std::size_t payload_bytes) noexcept {
  const auto header = std::to_integer<std::size_t>(ip[0] & std::byte{0x0F}) * 4;
  put_u16(ip, 2, ip.size() + payload_bytes);
  put_u16(ip, 10, 0);
  const auto sum = inet_checksum::sum(ip.first(std::min(header, ip.size())));
  put_u16(ip, 10, ntohs(static_cast<std::uint16_t>(~inet_checksum::fold(sum))));
}

/// Source and destination as IP and UDP headers have them.
std::pair<Endpoint, Endpoint> endpoints_of(std::span<const std::byte> ip) noexcept {
  const bool v6 = std::to_integer<unsigned>(ip[0]) >> 4U == version_6;
  const auto address = [&](std::size_t at) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(ip.data() + at);
    return v6 ? IpAddress::v6(std::span<const std::uint8_t, 16>(bytes, 16))
              : IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4));
  };
  const auto udp = ip.last(udp_header);
  const auto port = [&](std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(udp[at]) << 8U |
                                      std::to_integer<unsigned>(udp[at + 1]));
  };
  return {{address(v6 ? 8 : 12), port(0)}, {address(v6 ? 24 : 16), port(2)}};
}

void put_udp(std::span<std::byte> udp, const Endpoint& source, const Endpoint& destination,
             std::span<const std::byte> payload, std::size_t payload_bytes) noexcept {
  const auto header = make_udp_header(source, destination, payload);
  std::ranges::copy(header, udp.begin());
  put_u16(udp, 4, udp_header + payload_bytes);
  if (payload.size() != payload_bytes) put_u16(udp, 6, 0);
}

}  // namespace

std::vector<std::byte> make_datagram_headers(const HeaderFields& fields,
                                             std::span<const std::byte> payload,
                                             std::size_t payload_bytes) {
  const bool v6 = fields.destination.address.is_v6();
  const auto ip_bytes = v6 ? ipv6_header : ipv4_header;
  std::vector<std::byte> headers(ip_bytes + udp_header);
  const std::span ip(headers);
  const auto put_address = [&](std::size_t at, const IpAddress& address) {
    std::ranges::copy(std::as_bytes(address.bytes()), ip.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put_address(v6 ? 8 : 12, fields.source.address);
  put_address(v6 ? 24 : 16, fields.destination.address);
  if (v6) {
    put_u16(ip, 0, version_6 << 12U | std::size_t{fields.traffic_class} << 4U);
    put_u16(ip, 4, udp_header + payload_bytes);
    ip[6] = std::byte{IPPROTO_UDP};
    ip[7] = std::byte{fields.ttl};
  } else {
    ip[0] = std::byte{0x45};
    ip[1] = std::byte{fields.traffic_class};
    ip[8] = std::byte{fields.ttl};
    ip[9] = std::byte{IPPROTO_UDP};
    fit_ipv4(ip, payload_bytes);
  }
  put_udp(ip.last(udp_header), fields.source, fields.destination, payload, payload_bytes);
  return headers;
}

void fit_datagram_headers(std::span<std::byte> headers, std::size_t link_header,
                          std::span<const std::byte> payload, std::size_t payload_bytes) noexcept {
  if (headers.size() < link_header + ipv4_header + udp_header) return;
  const auto ip = headers.subspan(link_header);
  const bool v6 = std::to_integer<unsigned>(ip[0]) >> 4U == version_6;
  if (v6 && ip.size() < ipv6_header + udp_header) return;
  if (v6)
    put_u16(ip, 4, ip.size() - ipv6_header + payload_bytes);
  else
    fit_ipv4(ip, payload_bytes);
  const auto [source, destination] = endpoints_of(ip);
  put_udp(ip.last(udp_header), source, destination, payload, payload_bytes);
}

}  // namespace mcr
