// Streams without a fault, a datagram at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace mcr::bench {

/// Datagrams of one stream come a millisecond apart.
inline constexpr std::uint64_t apart_ns = 1'000'000;

/// A kind of stream: its first datagram, and what makes it the one of any number.
struct Media {
  std::vector<std::uint8_t> (*datagram)();
  void (*stamp)(std::byte* payload, std::uint64_t number) noexcept;
};

namespace detail {

constexpr std::size_t ts_bytes = 188;
constexpr std::size_t ts_packets = 7;

/// PID 0x100, but for the third and the fifth packet.
constexpr bool is_video(std::size_t packet) {
  return packet != 2 && packet != 4;
}

inline std::vector<std::uint8_t> rtp_datagram() {
  std::vector<std::uint8_t> bytes(1212, 0x55);
  constexpr std::uint8_t header[] = {0x80, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
  std::memcpy(bytes.data(), header, sizeof header);
  return bytes;
}

inline void stamp_rtp(std::byte* payload, std::uint64_t number) noexcept {
  const auto sequence = __builtin_bswap16(static_cast<std::uint16_t>(number));
  constexpr unsigned ticks = 90;  // a millisecond of payload type 32 (RFC 3551)
  const auto timestamp = __builtin_bswap32(static_cast<std::uint32_t>(ticks * number));
  std::memcpy(payload + 2, &sequence, sizeof sequence);
  std::memcpy(payload + 4, &timestamp, sizeof timestamp);
}

inline std::vector<std::uint8_t> ts_datagram() {
  std::vector<std::uint8_t> bytes(ts_packets * ts_bytes, 0xFF);
  for (std::size_t i = 0; i < ts_packets; ++i) {
    const std::uint8_t header[] = {0x47, 1, static_cast<std::uint8_t>(is_video(i) ? 0 : i), 0x10};
    std::memcpy(&bytes[i * ts_bytes], header, sizeof header);
  }
  return bytes;
}

inline void stamp_ts(std::byte* payload, std::uint64_t number) noexcept {
  auto video = number * 5;
  for (std::size_t i = 0; i < ts_packets; ++i)
    payload[i * ts_bytes + 3] =
        static_cast<std::byte>(0x10U | ((is_video(i) ? video++ : number) & 0xFU));
}

}  // namespace detail

inline constexpr Media rtp{detail::rtp_datagram, detail::stamp_rtp};
/// Seven packets a datagram, of three PIDs.
inline constexpr Media ts{detail::ts_datagram, detail::stamp_ts};

}  // namespace mcr::bench
