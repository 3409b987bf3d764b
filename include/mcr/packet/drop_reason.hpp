// Why a datagram went no further: one counter a reason, counted in the branch that drops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcr {

/// A received datagram that matched no output.
enum class InputDrop : std::uint8_t {
  not_ip,         ///< neither IPv4 nor IPv6, or the header says another version
  not_udp,        ///< another protocol than 17, or one that another node is to read
  truncated,      ///< the kernel handed over less than the frame had
  bad_length,     ///< header lengths that contradict each other
  bad_checksum,   ///< of UDP (IPv6: or it is absent) or of the IPv4 header
  fragment,       ///< a piece of a fragmented datagram
  own_source,     ///< sent by ourselves
  source_denied,  ///< not one of the rule's sources
};
inline constexpr std::array<std::string_view, 8> input_drop_names{
    "not_ip",       "not_udp",  "truncated",  "bad_length",
    "bad_checksum", "fragment", "own_source", "source_denied"};

/// A copy that did not leave.
enum class OutputDrop : std::uint8_t {
  ttl_expired,
  rate_limited,
  send_queue_full,  ///< our queue before the egress socket was full
  egress_full,      ///< the queueing discipline of the egress interface dropped it
  no_memory,        ///< no buffer, no message or no kernel memory left
  too_big,          ///< larger than the egress takes
  output_down,      ///< the egress interface is missing, down or without a source address
  send_error,       ///< any other refusal of the kernel
};
inline constexpr std::array<std::string_view, 8> output_drop_names{
    "ttl_expired", "rate_limited", "send_queue_full", "egress_full",
    "no_memory",   "too_big",      "output_down",     "send_error"};

}  // namespace mcr
