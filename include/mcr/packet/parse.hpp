// The parser of received frames. A frame has one UDP datagram, or several of one size (a
// superframe). RFC 894 (Ethernet), RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP), virtio 1.2
// section 5.1.6 (vnet header). Every byte comes off the wire, and is believed only after it was
// checked. Any thread; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/packet/drop_reason.hpp"

namespace mcr {

/// The header that a socket with PACKET_VNET_HDR puts before each frame: struct virtio_net_hdr of
/// <linux/virtio_net.h>, which C++ cannot include. Host byte order.
struct VnetHeader {
  static constexpr std::uint8_t needs_checksum = 1;  ///< flags: checksum is partial (local sender)
  static constexpr std::uint8_t data_valid = 2;      ///< flags: the device verified the checksum
  static constexpr std::uint8_t gso_ecn = 0x80;      ///< gso_type: a flag beside the type
  static constexpr std::uint8_t gso_udp_l4 = 5;      ///< gso_type: UDP superframe, Linux 6.2

  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t gso_size = 0;  ///< bytes of UDP payload in each datagram of a superframe
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

/// A frame's datagrams.
struct Packet {
  Endpoint source;
  Endpoint destination;
  std::span<const std::byte> payload;  ///< of all datagrams, contiguous; borrowed from the frame
  std::uint16_t headers = 0;           ///< bytes of the frame before its first datagram's payload
  std::uint32_t segment = 0;           ///< bytes of each datagram; the last one may be shorter
  std::uint32_t datagrams = 1;
  std::uint8_t ttl = 0;            ///< or IPv6 hop limit; equal in all datagrams of a superframe
  std::uint8_t traffic_class = 0;  ///< DSCP << 2 | ECN (RFC 2474, RFC 3168)
  bool checksum_trusted = true;    ///< false: check udp_checksum_holds() before forwarding

  /// `count` datagrams from the first one on, which is number `first`.
  [[nodiscard]] Packet part(std::uint32_t first, std::uint32_t count) const noexcept {
    Packet result = *this;
    result.datagrams = count;
    result.payload = payload.subspan(std::size_t{first} * segment);
    if (first + count != datagrams)
      result.payload = result.payload.first(std::size_t{count} * segment);
    return result;
  }
};

/// Parses one frame, as AF_PACKET delivers it behind its vnet header, into `packet`.
/// `link_header`: bytes before the IP header, 14 on Ethernet, 0 on tun.
/// Returns the reason to drop the frame, or nothing. If it is dropped, `packet` is filled as far as
/// the parser got.
[[nodiscard]] std::optional<InputDrop> parse_frame(std::span<const std::byte> frame,
                                                   const VnetHeader& vnet, std::size_t link_header,
                                                   Packet& packet) noexcept;

/// True if the UDP checksum is right. For a datagram that parse_frame() accepted without trusting
/// its checksum; reads the whole payload. An absent checksum (0) is wrong here: IPv6 forbids it,
/// and on IPv4 parse_frame() trusts it.
[[nodiscard]] bool udp_checksum_holds(const Packet& packet) noexcept;

/// Makes the UDP header of a datagram with this payload, in network byte order. Its checksum needs
/// a full pass over the payload.
[[nodiscard]] std::array<std::byte, 8> make_udp_header(const Endpoint& source,
                                                       const Endpoint& destination,
                                                       std::span<const std::byte> payload) noexcept;

/// The number of datagrams to count for a frame that parse_frame() refused: as many as its vnet
/// header claims, at most 128.
[[nodiscard]] std::uint32_t claimed_datagrams(std::size_t frame_bytes,
                                              const VnetHeader& vnet) noexcept;

}  // namespace mcr
