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
inline constexpr std::uint32_t copied_pages = pieces * pages;  ///< no limit
}  // namespace gso_limits

/// The content of a message under construction.
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

namespace gso {

/// True if the run may be appended to the batch. `page_limit`: gso_limits::pages for a
/// batch that shall leave without a copy.
[[nodiscard]] constexpr bool can_append(const GsoBatch& batch, const Run& run,
                                        std::uint32_t page_limit) noexcept {
  if (batch.closed || run.bytes == 0 || batch.bytes == 0) return false;
  const bool same_size =
      run.segment == batch.segment || (run.datagrams == 1 && run.segment < batch.segment);
  return same_size && batch.datagrams + run.datagrams <= gso_limits::segments &&
         batch.bytes + run.bytes <= gso_limits::bytes && batch.pieces < gso_limits::pieces &&
         batch.pages + run.pages <= page_limit;
}

/// The batch with the run in it.
constexpr void append(GsoBatch& batch, const Run& run) noexcept {
  if (batch.datagrams == 0) batch.segment = run.segment;
  batch.bytes += run.bytes;
  batch.datagrams += run.datagrams;
  ++batch.pieces;
  batch.pages += run.pages;
  batch.closed = batch.bytes != batch.segment * batch.datagrams;
}

/// True if another datagram as large as the others may still join.
[[nodiscard]] constexpr bool can_grow(const GsoBatch& batch) noexcept {
  return !batch.closed && batch.datagrams < gso_limits::segments &&
         batch.bytes + batch.segment <= gso_limits::bytes;
}

/// How many datagrams of a superframe fit one batch: at least 1.
[[nodiscard]] constexpr std::uint32_t datagrams_per_message(std::uint32_t segment) noexcept {
  if (segment == 0) return 1;
  const auto by_bytes = gso_limits::bytes / segment;
  return by_bytes < 1 ? 1 : by_bytes < gso_limits::segments ? by_bytes : gso_limits::segments;
}

}  // namespace gso

}  // namespace mcr
