// Lengths nest: the frame holds the IP packet, which holds the UDP datagram, which holds the
// payload. Each step checks its own length against what is left of the one outside it, so no later
// read can leave the frame. Ethernet pads short frames: bytes behind the IP packet do not belong to
// it.
//
// IPv6 may have a chain of extension headers before UDP (RFC 8200). Each tells its length and what
// follows. The chain is bounded, and a fragment header or a routing header with segments left ends
// it.
//
// The kernel verifies checksums, or knows that a local sender has not filled them in; the vnet
// header tells. Otherwise the worker verifies it before it forwards. MCR computes a new checksum
// for each copy, so a datagram that arrives with a wrong one must be dropped: it would leave with a
// right one.
#include "mcr/packet/parse.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "mcr/base/inet_checksum.hpp"

namespace mcr {

namespace {

constexpr std::size_t ipv4_header_min = 20;
constexpr std::size_t ipv6_header = 40;
constexpr std::size_t udp_header = 8;
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_ipv6 = 0x86DD;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint16_t fragment_bits = 0x3FFF;       // more-fragments flag and offset
constexpr std::uint16_t ipv6_fragment_bits = 0xFFF9;  // the same in an IPv6 fragment header
/// RFC 8200 has six kinds of headers, one of which may come twice. More than that are an attack.
constexpr int max_extension_headers = 8;
/// The most segments that the kernel puts into one superframe (UDP_MAX_SEGMENTS: 64, later 128).
constexpr std::uint32_t max_segments = 128;

std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

std::uint16_t u16_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8U | byte_at(bytes, at + 1));
}

IpAddress ipv4_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return IpAddress::v4(
      std::span<const std::uint8_t, 4>(reinterpret_cast<const std::uint8_t*>(&bytes[at]), 4));
}

IpAddress ipv6_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return IpAddress::v6(
      std::span<const std::uint8_t, 16>(reinterpret_cast<const std::uint8_t*>(&bytes[at]), 16));
}

bool is_superframe(const VnetHeader& vnet) noexcept {
  return (vnet.gso_type & ~VnetHeader::gso_ecn) == VnetHeader::gso_udp_l4;
}

std::optional<InputDrop> read_segments(const VnetHeader& vnet, Packet& packet) noexcept {
  const auto bytes = static_cast<std::uint32_t>(packet.payload.size());
  packet.segment = bytes;
  packet.datagrams = 1;
  if (!is_superframe(vnet)) return std::nullopt;
  if (vnet.gso_size == 0) return InputDrop::bad_length;
  if (bytes <= vnet.gso_size) return std::nullopt;
  packet.segment = vnet.gso_size;
  packet.datagrams = (bytes + vnet.gso_size - 1) / vnet.gso_size;
  return packet.datagrams > max_segments ? std::optional(InputDrop::bad_length) : std::nullopt;
}

/// `udp` starts at the UDP header and ends with the IP packet.
std::optional<InputDrop> read_udp(std::span<const std::byte> udp, const VnetHeader& vnet,
                                  Packet& packet) noexcept {
  if (udp.size() < udp_header) return InputDrop::bad_length;
  const std::size_t length = u16_at(udp, 4);
  if (length < udp_header || length > udp.size()) return InputDrop::bad_length;
  packet.source.port = u16_at(udp, 0);
  packet.destination.port = u16_at(udp, 2);
  packet.payload = udp.subspan(udp_header, length - udp_header);
  const bool checked_by_kernel =
      (vnet.flags & (VnetHeader::needs_checksum | VnetHeader::data_valid)) != 0;
  // IPv4 allows a datagram without a checksum (0), IPv6 does not (RFC 8200, section 8.1).
  const bool absent = u16_at(udp, 6) == 0;
  packet.checksum_trusted = absent ? packet.destination.address.is_v4() : checked_by_kernel;
  if (const auto drop = read_segments(vnet, packet)) return drop;
  if (packet.datagrams > 1 && !checked_by_kernel) return InputDrop::bad_checksum;
  return std::nullopt;
}

std::optional<InputDrop> read_ipv4(std::span<const std::byte> ip, const VnetHeader& vnet,
                                   Packet& packet) noexcept {
  if (ip.size() < ipv4_header_min) return InputDrop::truncated;
  if (byte_at(ip, 0) >> 4U != 4) return InputDrop::not_ip;
  const std::size_t header = (byte_at(ip, 0) & 0x0FU) * 4U;
  const std::size_t total = u16_at(ip, 2);
  if (header < ipv4_header_min || total < header) return InputDrop::bad_length;
  if (total > ip.size()) return InputDrop::truncated;
  if (inet_checksum::fold(inet_checksum::sum(ip.first(header))) != 0xFFFFU)
    return InputDrop::bad_checksum;
  packet.source.address = ipv4_at(ip, 12);
  packet.destination.address = ipv4_at(ip, 16);
  packet.traffic_class = byte_at(ip, 1);
  packet.ttl = byte_at(ip, 8);
  if (byte_at(ip, 9) != protocol_udp) return InputDrop::not_udp;
  if ((u16_at(ip, 6) & fragment_bits) != 0) return InputDrop::fragment;
  return read_udp(ip.subspan(header, total - header), vnet, packet);
}

/// Protocol numbers of the headers that may stand before UDP.
namespace extension {
constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t authentication = 51;  // RFC 4302
constexpr std::uint8_t destination = 60;
}  // namespace extension

bool is_extension(std::uint8_t protocol) noexcept {
  return protocol == extension::hop_by_hop || protocol == extension::routing ||
         protocol == extension::fragment || protocol == extension::authentication ||
         protocol == extension::destination;
}

/// Bytes of an extension header; `bytes` begins with it and has at least 8.
std::size_t extension_size(std::uint8_t protocol, std::span<const std::byte> bytes) noexcept {
  const std::size_t length = byte_at(bytes, 1);
  if (protocol == extension::fragment) return 8;
  return protocol == extension::authentication ? (length + 2) * 4 : (length + 1) * 8;
}

/// The reason to drop the frame at this extension header; nothing if the parser may go on.
std::optional<InputDrop> refuse_extension(std::uint8_t protocol, bool first,
                                          std::span<const std::byte> bytes) noexcept {
  if (protocol == extension::hop_by_hop && !first) return InputDrop::bad_length;
  // With segments left, what follows is meant for another node.
  if (protocol == extension::routing && byte_at(bytes, 3) != 0) return InputDrop::not_udp;
  // A fragment header without any of these bits stands before a whole datagram (RFC 6946).
  if (protocol == extension::fragment && (u16_at(bytes, 2) & ipv6_fragment_bits) != 0)
    return InputDrop::fragment;
  return std::nullopt;
}

std::optional<InputDrop> read_ipv6(std::span<const std::byte> ip, const VnetHeader& vnet,
                                   Packet& packet) noexcept {
  if (ip.size() < ipv6_header) return InputDrop::truncated;
  if (byte_at(ip, 0) >> 4U != 6) return InputDrop::not_ip;
  const std::size_t length = u16_at(ip, 4);
  if (length > ip.size() - ipv6_header) return InputDrop::truncated;
  packet.source.address = ipv6_at(ip, 8);
  packet.destination.address = ipv6_at(ip, 24);
  packet.traffic_class = static_cast<std::uint8_t>(u16_at(ip, 0) >> 4U);
  packet.ttl = byte_at(ip, 7);
  auto protocol = byte_at(ip, 6);
  auto rest = ip.subspan(ipv6_header, length);
  for (int headers = 0; protocol != protocol_udp; ++headers) {
    if (!is_extension(protocol)) return InputDrop::not_udp;
    if (headers == max_extension_headers || rest.size() < 8) return InputDrop::bad_length;
    if (const auto drop = refuse_extension(protocol, headers == 0, rest)) return drop;
    const auto size = extension_size(protocol, rest);
    if (size > rest.size()) return InputDrop::bad_length;
    protocol = byte_at(rest, 0);
    rest = rest.subspan(size);
  }
  return read_udp(rest, vnet, packet);
}

/// The frame's ethertype; without a link header the IP version tells it.
std::uint16_t ethertype_of(std::span<const std::byte> frame, std::size_t link_header) noexcept {
  if (link_header >= 2) return u16_at(frame, link_header - 2);
  return !frame.empty() && byte_at(frame, 0) >> 4U == 6 ? ethertype_ipv6 : ethertype_ipv4;
}

}  // namespace

std::optional<InputDrop> parse_frame(std::span<const std::byte> frame, const VnetHeader& vnet,
                                     std::size_t link_header, Packet& packet) noexcept {
  if (frame.size() < link_header) return InputDrop::truncated;
  const auto ethertype = ethertype_of(frame, link_header);
  const auto ip = frame.subspan(link_header);
  std::optional<InputDrop> drop = InputDrop::not_ip;
  if (ethertype == ethertype_ipv4) drop = read_ipv4(ip, vnet, packet);
  if (ethertype == ethertype_ipv6) drop = read_ipv6(ip, vnet, packet);
  if (!drop) packet.headers = static_cast<std::uint16_t>(packet.payload.data() - frame.data());
  return drop;
}

bool udp_checksum_holds(const Packet& packet) noexcept {
  const auto* header = packet.payload.data() - udp_header;
  const std::size_t length = udp_header + packet.payload.size();
  const auto sum = inet_checksum::sum({header, length}) +
                   inet_checksum::pseudo_sum(packet.source.address, packet.destination.address,
                                             protocol_udp, length);
  const bool absent = u16_at({header, length}, 6) == 0;  // IPv6 only: IPv4's is trusted
  return !absent && inet_checksum::fold(sum) == 0xFFFFU;
}

std::array<std::byte, 8> make_udp_header(const Endpoint& source, const Endpoint& destination,
                                         std::span<const std::byte> payload) noexcept {
  const std::size_t length = udp_header + payload.size();
  std::array<std::uint16_t, 4> header{htons(source.port), htons(destination.port),
                                      htons(static_cast<std::uint16_t>(length)), 0};
  const auto sum =
      inet_checksum::sum(std::as_bytes(std::span(header))) + inet_checksum::sum(payload) +
      inet_checksum::pseudo_sum(source.address, destination.address, protocol_udp, length);
  const auto checksum = static_cast<std::uint16_t>(~inet_checksum::fold(sum));
  header[3] = checksum != 0 ? checksum : 0xFFFF;  // 0 means "absent" (RFC 768)
  return std::bit_cast<std::array<std::byte, 8>>(header);
}

std::uint32_t claimed_datagrams(std::size_t frame_bytes, const VnetHeader& vnet) noexcept {
  if (!is_superframe(vnet) || vnet.gso_size == 0) return 1;
  const auto headers = std::min<std::size_t>(frame_bytes, vnet.header_bytes);
  const auto claimed = (frame_bytes - headers + vnet.gso_size - 1) / vnet.gso_size;
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(claimed, 1, max_segments));
}

}  // namespace mcr
