// What a message bears besides its payload: where it goes, and control messages (cmsg(3)) that say
// by which interface, from which source address, with which TTL and traffic class (ip(7), ipv6(7)).
// One socket serves all of an interface's outputs, and an address change needs no new socket.
// All datagrams of a message share its header.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/config/config.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

struct SendHeader {
  static constexpr std::size_t control_most = 88;  ///< bytes, as IPv6 needs them

  SocketAddress destination;
  std::uint8_t control_bytes = 0;  ///< used of `control`
  alignas(8) std::array<std::byte, control_most> control{};

  [[nodiscard]] std::span<const std::byte> used_control() const noexcept {
    return std::span(control).first(control_bytes);
  }
};

/// What can differ between send headers of one output, as bits; 0: nothing, all its headers are
/// one.
namespace per_packet_fields {
inline constexpr std::uint8_t ttl = 1;  ///< the packet's
inline constexpr std::uint8_t decremented_ttl = 4;
inline constexpr std::uint8_t dscp = 8;     ///< the packet's
inline constexpr std::uint8_t source = 16;  ///< the packet's
}  // namespace per_packet_fields

/// The header of an output by this interface from this address. What per_packet_fields is in it, to
/// be filled in for each packet.
[[nodiscard]] SendHeader make_send_header(const Output& output, unsigned interface_index,
                                          const IpAddress& source) noexcept;
/// Bits of `per_packet_fields`.
[[nodiscard]] std::uint8_t per_packet_fields_of(const Output& output) noexcept;

/// Fills in what the output takes from the packet. Returns why the packet cannot leave, or nothing.
[[nodiscard]] std::optional<OutputDrop> fill_per_packet_fields(SendHeader& header,
                                                               std::uint8_t fields,
                                                               const Packet& packet) noexcept;

}  // namespace mcr
