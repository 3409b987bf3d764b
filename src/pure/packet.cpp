// Lengths nest: frame >= link header + IP total length >= IP header + UDP length. Each step checks
// its own against what is left of the one outside it, so no later read can leave the frame.
// Ethernet pads short frames: bytes behind the IP total length are not ours.
#include "mcr/packet.hpp"

#include <algorithm>
#include <cstring>

namespace mcr {

namespace {

constexpr std::size_t ipv4_header_min = 20;
constexpr std::size_t udp_header = 8;
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint16_t fragment_bits = 0x3FFF;  // more-fragments flag and offset
/// The kernel's limit of segments in one UDP superframe (UDP_MAX_SEGMENTS: 64, later 128).
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

bool is_superframe(const VnetHeader& vnet) noexcept {
  return (vnet.gso_type & ~VnetHeader::gso_ecn) == VnetHeader::gso_udp_l4;
}

/// Sum of 16-bit words in memory order, not folded (RFC 1071).
std::uint64_t word_sum(std::span<const std::byte> bytes) noexcept {
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[at], 4);
    sum += word;
  }
  if (at < bytes.size()) {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[at], bytes.size() - at);
    sum += word;
  }
  return sum;
}

std::uint16_t fold(std::uint64_t sum) noexcept {
  while (sum > 0xFFFFU)
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
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
  packet.checksum_trusted = checked_by_kernel || u16_at(udp, 6) == 0;
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
  packet.source.address = ipv4_at(ip, 12);
  packet.destination.address = ipv4_at(ip, 16);
  if (byte_at(ip, 9) != protocol_udp) return InputDrop::not_udp;
  if ((u16_at(ip, 6) & fragment_bits) != 0) return InputDrop::fragment;
  return read_udp(ip.subspan(header, total - header), vnet, packet);
}

}  // namespace

std::optional<InputDrop> parse(std::span<const std::byte> frame, const VnetHeader& vnet,
                               std::size_t link_header, Packet& packet) noexcept {
  if (frame.size() < link_header) return InputDrop::truncated;
  if (link_header >= 2 && u16_at(frame, link_header - 2) != ethertype_ipv4)
    return InputDrop::not_ip;
  return read_ipv4(frame.subspan(link_header), vnet, packet);
}

bool checksum_holds(const Packet& packet) noexcept {
  const auto* header = packet.payload.data() - udp_header;
  const std::size_t length = udp_header + packet.payload.size();
  std::uint64_t sum = word_sum({header, length});
  for (const auto* endpoint : {&packet.source, &packet.destination})
    sum += word_sum(std::as_bytes(endpoint->address.bytes()));
  sum += htons(static_cast<std::uint16_t>(length));
  sum += htons(protocol_udp);
  return fold(sum) == 0xFFFFU;
}

std::uint32_t claimed_datagrams(std::size_t frame_bytes, const VnetHeader& vnet) noexcept {
  if (!is_superframe(vnet) || vnet.gso_size == 0) return 1;
  const auto headers = std::min<std::size_t>(frame_bytes, vnet.header_bytes);
  const auto claimed = (frame_bytes - headers + vnet.gso_size - 1) / vnet.gso_size;
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(claimed, 1, max_segments));
}

}  // namespace mcr
