// A received frame, read: one UDP datagram, or several of one size in one frame (a superframe).
// RFC 894 (Ethernet), RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP), virtio 1.2 section 5.1.6
// (vnet header).
// Everything here comes off the wire and is not to be believed before it is checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/packet/drop_reason.hpp"

namespace mcr {

/// What stands before a frame from a socket with PACKET_VNET_HDR: struct virtio_net_hdr of
/// <linux/virtio_net.h>, which C++ cannot include. Host byte order.
struct VnetHeader {
  static constexpr std::uint8_t needs_checksum = 1;  ///< flags: to be filled in on its way out
  static constexpr std::uint8_t data_valid = 2;      ///< flags: verified by the device
  static constexpr std::uint8_t gso_ecn = 0x80;      ///< gso_type: a bit of its own
  static constexpr std::uint8_t gso_udp_l4 = 5;      ///< gso_type: UDP superframe, Linux 6.2

  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t gso_size = 0;  ///< UDP payload of each datagram of a superframe, bytes
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

struct Packet {
  Endpoint source;
  Endpoint destination;
  std::span<const std::byte> payload;  ///< of all datagrams, contiguous; borrowed from the frame
  std::uint32_t segment = 0;           ///< bytes of each datagram; the last one may be shorter
  std::uint32_t datagrams = 1;
  std::uint8_t ttl = 0;            ///< or IPv6 hop limit; superframes are made of equal ones
  std::uint8_t traffic_class = 0;  ///< DSCP << 2 | ECN (RFC 2474, RFC 3168)
  bool checksum_trusted = true;    ///< false: call udp_checksum_holds() before forwarding
};

/// Reads one frame as AF_PACKET delivers it behind its vnet header.
/// `link_header`: bytes before the IP header, 14 on Ethernet, 0 on tun.
/// `packet` is filled as far as reading got; on success nothing is returned.
[[nodiscard]] std::optional<InputDrop> parse_frame(std::span<const std::byte> frame,
                                                   const VnetHeader& vnet, std::size_t link_header,
                                                   Packet& packet) noexcept;

/// The UDP checksum of a datagram that parse_frame() accepted and does not trust: a full pass over
/// the payload. None at all, which only IPv4 allows, does not hold.
[[nodiscard]] bool udp_checksum_holds(const Packet& packet) noexcept;

/// The UDP header of a datagram with this payload, its checksum included: a full pass over the
/// payload.
[[nodiscard]] std::array<std::byte, 8> make_udp_header(const Endpoint& source,
                                                       const Endpoint& destination,
                                                       std::span<const std::byte> payload) noexcept;

/// How many datagrams a frame stands for that parse_frame() may have refused: its own word for it,
/// bounded.
[[nodiscard]] std::uint32_t claimed_datagrams(std::size_t frame_bytes,
                                              const VnetHeader& vnet) noexcept;

}  // namespace mcr
