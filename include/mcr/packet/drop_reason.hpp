// The reasons for dropping a datagram. Each has a counter, and the branch that drops counts it.
// Users see these names: they are kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcr {

/// A received datagram that goes to no output.
enum class InputDrop : std::uint8_t {
  not_ip,         ///< neither IPv4 nor IPv6, or the header says another version
  not_udp,        ///< a protocol other than 17, or a routing header says that another node reads on
  truncated,      ///< the kernel handed over less than the whole frame
  bad_length,     ///< header lengths that contradict each other
  bad_checksum,   ///< wrong UDP checksum (on IPv6 also an absent one), or of the IPv4 header
  fragment,       ///< a piece of a datagram that the kernel did not put together: IPv6, vlan, local
  own_source,     ///< this relay has sent it
  source_denied,  ///< not one of the rule's sources
  loop,           ///< it is known: another relay has carried it, or it has come back
  standby,        ///< another input of the rule is on air, or another host of a pair
  duplicate,      ///< another input of the rule brought it before
  late,           ///< it came after its number was forgotten
};
inline constexpr std::array<std::string_view, 12> input_drop_names{
    "not_ip",     "not_udp",       "truncated", "bad_length", "bad_checksum", "fragment",
    "own_source", "source_denied", "loop",      "standby",    "duplicate",    "late"};

/// A copy that does not leave.
enum class OutputDrop : std::uint8_t {
  ttl_expired,
  rate_limited,
  send_queue_full,  ///< MCR's own queue before the egress socket was full
  egress_full,      ///< the queueing discipline of the egress interface dropped it
  no_memory,        ///< no buffer, no message or no kernel memory left
  too_big,          ///< larger than the egress accepts
  output_down,      ///< the egress interface is missing, down, or without a source or a route
  send_error,       ///< refused for another reason: rules/send_refusal.hpp
  filtered,         ///< a reflector lets no such message pass this way
  carried,          ///< another relay or a wire had brought it there already
};
inline constexpr std::array<std::string_view, 10> output_drop_names{
    "ttl_expired", "rate_limited", "send_queue_full", "egress_full", "no_memory",
    "too_big",     "output_down",  "send_error",      "filtered",    "carried"};

}  // namespace mcr
