// The plan of a send: which datagrams leave together as one message (UDP_SEGMENT, udp(7)).
// Pure: sizes in, a decision out. Tx carries it out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcr {

/// The kernel's limits of one UDP message.
namespace gso_limits {
inline constexpr std::uint32_t segments = 64;   ///< UDP_MAX_SEGMENTS of every kernel
inline constexpr std::uint32_t bytes = 65'507;  ///< IPv4 total length less its headers
inline constexpr std::uint32_t pieces = 64;     ///< of memory, in a message that is copied
inline constexpr std::uint32_t pages = 17;      ///< that a zero-copy message may touch
}  // namespace gso_limits

/// What a message under construction holds.
struct GsoBatch {
  std::uint32_t segment = 0;  ///< bytes of every datagram but the last
  std::uint32_t bytes = 0;
  std::uint32_t datagrams = 0;
  std::uint32_t pieces = 0;
  std::uint32_t pages = 0;
  bool closed = false;  ///< its last datagram is shorter: nothing may follow
};

/// A run of datagrams, contiguous in memory; the last may be shorter.
struct Run {
  std::uint32_t segment = 0;
  std::uint32_t bytes = 0;
  std::uint32_t datagrams = 0;
  std::uint32_t pages = 0;  ///< it touches
};

/// How many pages of 4 KiB so many bytes touch.
[[nodiscard]] inline std::uint32_t pages_of(const std::byte* data, std::uint32_t bytes) noexcept {
  constexpr std::uint32_t page = 4096;
  const auto first = reinterpret_cast<std::uintptr_t>(data) / page;
  const auto last = (reinterpret_cast<std::uintptr_t>(data) + (bytes == 0 ? 0 : bytes - 1)) / page;
  return static_cast<std::uint32_t>(last - first + 1);
}

/// Whether the run may join the message, in order. `page_limit`: gso_limits::pages for a
/// message that shall leave without a copy.
[[nodiscard]] constexpr bool can_append(const GsoBatch& message, const Run& run,
                                   std::uint32_t page_limit) noexcept {
  if (message.closed || run.bytes == 0 || message.bytes == 0) return false;
  const bool same_size =
      run.segment == message.segment || (run.datagrams == 1 && run.segment < message.segment);
  return same_size && message.datagrams + run.datagrams <= gso_limits::segments &&
         message.bytes + run.bytes <= gso_limits::bytes &&
         message.pieces < gso_limits::pieces && message.pages + run.pages <= page_limit;
}

/// The message with the run in it.
constexpr void append(GsoBatch& message, const Run& run) noexcept {
  if (message.datagrams == 0) message.segment = run.segment;
  message.bytes += run.bytes;
  message.datagrams += run.datagrams;
  ++message.pieces;
  message.pages += run.pages;
  message.closed = message.bytes != message.segment * message.datagrams;
}

/// Whether another datagram as large as the others may still join.
[[nodiscard]] constexpr bool can_grow(const GsoBatch& message) noexcept {
  return !message.closed && message.datagrams < gso_limits::segments &&
         message.bytes + message.segment <= gso_limits::bytes;
}

/// How many datagrams of a superframe fit one message: at least 1.
[[nodiscard]] constexpr std::uint32_t datagrams_per_message(std::uint32_t segment) noexcept {
  if (segment == 0) return 1;
  const auto by_bytes = gso_limits::bytes / segment;
  return by_bytes < 1 ? 1 : by_bytes < gso_limits::segments ? by_bytes : gso_limits::segments;
}

}  // namespace mcr
