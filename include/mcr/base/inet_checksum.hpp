// The Internet checksum (RFC 1071), of IPv4, IGMP, MLD and UDP. Any thread; no allocation.
#pragma once

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "mcr/base/address.hpp"

namespace mcr::inet_checksum {

/// The sum of 16-bit words in memory order, not folded. An odd byte counts as if 0 followed. Sums
/// may be added, if each but the last is of an even number of bytes.
[[nodiscard]] inline std::uint64_t sum(std::span<const std::byte> bytes) noexcept {
  std::uint64_t result = 0;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[at], 4);
    result += word;
  }
  if (at < bytes.size()) {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[at], bytes.size() - at);
    result += word;
  }
  return result;
}

/// The sum over the pseudo header (RFC 768; RFC 8200, section 8.1). `length`: bytes that the
/// protocol's own header and payload have.
[[nodiscard]] inline std::uint64_t pseudo_sum(const IpAddress& source, const IpAddress& destination,
                                              std::uint8_t protocol, std::size_t length) noexcept {
  return sum(std::as_bytes(source.bytes())) + sum(std::as_bytes(destination.bytes())) +
         htons(static_cast<std::uint16_t>(length)) + htons(protocol);
}

/// The sum in 16 bits, in network byte order. The checksum of what was summed is its complement;
/// 0xFFFF is the sum of bytes that contain a right checksum.
[[nodiscard]] inline std::uint16_t fold(std::uint64_t sum) noexcept {
  while (sum > 0xFFFFU)
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace mcr::inet_checksum
