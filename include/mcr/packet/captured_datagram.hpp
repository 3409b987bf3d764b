// A datagram that a capture keeps, and the record that it is in a ring: itself, so much of its
// frame as stands before the payload, and the payload, side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "mcr/base/address.hpp"

namespace mcr {

struct CapturedDatagram {
  enum class What : std::uint8_t { received, input_drop, sent, output_drop };

  std::uint32_t record = 0;  ///< bytes of the record; the ring's
  What what = What::received;
  std::uint8_t reason = 0;  ///< an InputDrop or an OutputDrop
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  std::uint16_t socket = 0;  ///< rx slot of what was received; tx slot of a copy
  /// Bytes of the frame before the payload; 0: it has none, and is told by its endpoints.
  std::uint16_t frame_header = 0;
  std::uint32_t slot = 0;      ///< of the rule, or of the output
  std::uint32_t payload = 0;   ///< bytes
  std::uint32_t original = 0;  ///< bytes of payload that there were
  bool fit = false;           ///< the frame's header is that of several datagrams, or is unfinished
  std::uint64_t time_ns = 0;  ///< CLOCK_REALTIME
  Endpoint source{};
  Endpoint destination{};
};
static_assert(std::is_trivially_copyable_v<CapturedDatagram>);

namespace capture_record {

/// A multiple of 8: so at the end of a ring there is room for `record` at least.
[[nodiscard]] inline std::size_t bytes(std::span<const std::byte> header,
                                       std::span<const std::byte> payload) noexcept {
  return (sizeof(CapturedDatagram) + header.size() + payload.size() + 7) / 8 * 8;
}

inline void write(std::byte* to, CapturedDatagram datagram, std::span<const std::byte> header,
                  std::span<const std::byte> payload) noexcept {
  datagram.record = static_cast<std::uint32_t>(bytes(header, payload));
  std::memcpy(to, &datagram, sizeof datagram);
  to += sizeof datagram;
  if (!header.empty()) std::memcpy(to, header.data(), header.size());
  if (!payload.empty()) std::memcpy(to + header.size(), payload.data(), payload.size());
}

/// The bytes of the record there; 0: there is none, the rest up to the ring's end is empty.
[[nodiscard]] inline std::uint32_t size_at(const std::byte* from) noexcept {
  std::uint32_t size = 0;
  std::memcpy(&size, from, sizeof size);
  return size;
}

[[nodiscard]] inline CapturedDatagram datagram_at(const std::byte* from) noexcept {
  CapturedDatagram datagram;
  std::memcpy(&datagram, from, sizeof datagram);
  return datagram;
}

/// Calls use(datagram, header, payload).
template <typename Use>
void read(const std::byte* from, Use&& use) {
  const auto datagram = datagram_at(from);
  const std::span header(from + sizeof datagram, datagram.frame_header);
  use(datagram, header,
      std::span<const std::byte>(header.data() + header.size(), datagram.payload));
}

}  // namespace capture_record
}  // namespace mcr
