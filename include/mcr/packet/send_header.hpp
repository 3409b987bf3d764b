// The header of a message: its destination, and control messages (cmsg(3)) that tell the kernel the
// interface, the source address, the TTL and the traffic class (ip(7), ipv6(7)). So one socket
// serves all outputs of one kind on an interface, and a changed address needs no new socket. All
// datagrams of a message share its header.
//
// make_send_header() makes it once, when the table is compiled. What differs from packet to packet
// (a preserved TTL, say) has its place in there, and fill_per_packet_fields() writes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

struct Output;

struct SendHeader {
  static constexpr std::size_t control_most = 88;  ///< bytes that IPv6 needs, which needs most

  SocketAddress destination;
  std::uint8_t control_bytes = 0;  ///< how many bytes of `control` are used
  alignas(8) std::array<std::byte, control_most> control{};

  [[nodiscard]] std::span<const std::byte> used_control() const noexcept {
    return std::span(control).first(control_bytes);
  }
};

/// The content of a header's control messages.
struct SendFields {
  IpAddress source{};
  std::uint8_t ttl = 0;  ///< 0: the system's
  std::uint8_t traffic_class = 0;
};
[[nodiscard]] SendFields read_control(std::span<const std::byte> control) noexcept;

/// The fields of an output's header that differ from packet to packet, as bits. With 0 all packets
/// share one header.
namespace per_packet_fields {
inline constexpr std::uint8_t ttl = 1;              ///< the packet's TTL
inline constexpr std::uint8_t decremented_ttl = 4;  ///< the packet's TTL less one
inline constexpr std::uint8_t dscp = 8;             ///< the packet's DSCP
inline constexpr std::uint8_t source = 16;          ///< the packet's source address
}  // namespace per_packet_fields

/// Makes the header of an output that sends by this interface from this address. Fields of
/// per_packet_fields have their place in it, and no value yet.
[[nodiscard]] SendHeader make_send_header(const Output& output, unsigned interface_index,
                                          const IpAddress& source) noexcept;
/// The fields of this output that differ from packet to packet: bits of `per_packet_fields`.
[[nodiscard]] std::uint8_t per_packet_fields_of(const Output& output) noexcept;

/// Writes the packet's values into those fields. Returns the reason if the packet must not leave.
[[nodiscard]] std::optional<OutputDrop> fill_per_packet_fields(SendHeader& header,
                                                               std::uint8_t fields,
                                                               const Packet& packet) noexcept;

}  // namespace mcr
