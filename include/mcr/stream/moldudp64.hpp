// MoldUDP64 (Nasdaq): the header of a datagram of a market-data feed, and whether all of it fits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mcr::stream {

struct MoldHeader {
  std::uint32_t session = 0;   ///< a digest of its 10 bytes
  std::uint64_t sequence = 0;  ///< of the first message; without messages: of the next one
  std::uint32_t messages = 0;  ///< 0: a heartbeat, or the end of the session
};

/// Reads a datagram; nothing if its session is no text, or if its messages do not fill it exactly.
[[nodiscard]] std::optional<MoldHeader> read_moldudp64(
    std::span<const std::byte> datagram) noexcept;

}  // namespace mcr::stream
