// Datagrams of merged streams, made by what they bear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mcr/config/redundancy.hpp"

namespace mcr::redundancy {

using Bytes = std::vector<std::byte>;

inline void append_big(Bytes& bytes, std::uint64_t value, unsigned width) {
  for (unsigned i = width; i-- > 0;)
    bytes.push_back(static_cast<std::byte>(value >> 8U * i));
}

/// RTP whose content follows from `content`.
inline Bytes rtp(std::uint16_t number, std::uint32_t ssrc = 1, std::uint32_t content = 0) {
  Bytes bytes{std::byte{0x80}, std::byte{96}};
  append_big(bytes, number, 2);
  append_big(bytes, std::uint32_t{number} * 90 + content, 4);
  append_big(bytes, ssrc, 4);
  append_big(bytes, (std::uint64_t{content} << 32U | number) * 0x9E3779B97F4A7C15U, 8);
  append_big(bytes, number, 8);
  return bytes;
}

/// MoldUDP64 with `messages` of one byte each.
inline Bytes mold(std::uint64_t number, unsigned messages,
                  std::string_view session = "SESSION000") {
  Bytes bytes;
  for (const char letter : session)
    bytes.push_back(static_cast<std::byte>(letter));
  append_big(bytes, number, 8);
  append_big(bytes, messages, 2);
  for (unsigned i = 0; i < messages; ++i) {
    append_big(bytes, 1, 2);
    append_big(bytes, number + i, 1);
  }
  return bytes;
}

/// A number of 4 bytes, little-endian, at offset 2.
inline Bytes numbered(std::uint32_t number) {
  Bytes bytes(2);
  for (unsigned i = 0; i < 4; ++i)
    bytes.push_back(static_cast<std::byte>(number >> 8U * i));
  append_big(bytes, number * 7, 8);
  return bytes;
}

inline constexpr Merge by_rtp{Merge::By::rtp, {}};
inline constexpr Merge by_mold{Merge::By::moldudp64, {}};
inline constexpr Merge by_number{Merge::By::sequence, {2, 4, true, 0, 0}};
inline constexpr Merge by_content{Merge::By::content, {}};

}  // namespace mcr::redundancy
