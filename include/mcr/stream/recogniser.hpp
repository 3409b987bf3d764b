// Recognises what a stream is, from its datagrams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/stream/format.hpp"

namespace mcr::stream {

/// Sees one source's datagrams until it is sure. One datagram is enough for MoldUDP64 (its messages
/// fill it exactly) and for MPEG-TS of several packets; RTP needs two in sequence (RFC 3550,
/// MIN_SEQUENTIAL), and TS of one packet a datagram needs five. Valid as all zeroes.
class Recogniser {
 public:
  /// The kind, or `unknown` for as long as nothing is sure. A stream that stays unknown is looked
  /// at less and less: the first 16 datagrams, and then each 64th.
  Kind see(std::span<const std::byte> datagram) noexcept;

  /// Once RTP is recognised: its source, and the number of the datagram before.
  [[nodiscard]] std::uint32_t ssrc() const noexcept { return ssrc_; }
  [[nodiscard]] std::uint16_t sequence_before() const noexcept { return before_; }

 private:
  Kind look(std::span<const std::byte> datagram) noexcept;
  Kind look_at_rtp(std::span<const std::byte> datagram) noexcept;

  std::uint32_t seen_ = 0;
  std::uint32_t ssrc_ = 0;
  std::uint16_t sequence_ = 0;
  std::uint16_t before_ = 0;
  std::uint8_t single_packets_ = 0;
  bool has_rtp_ = false;
};

}  // namespace mcr::stream
