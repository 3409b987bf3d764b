// RTP (RFC 3550): the header of a datagram, and when its datagrams come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/counter.hpp"

namespace mcr::stream {

struct RtpHeader {
  static constexpr std::uint8_t mpeg_ts = 33;  ///< the payload type of MPEG-TS, RFC 3551

  std::uint32_t ssrc = 0;
  std::uint32_t timestamp = 0;
  std::uint16_t sequence = 0;
  std::uint8_t payload_type = 0;
  std::span<const std::byte> payload;  ///< without padding; borrowed
};

/// Reads a datagram; nothing if it is not RTP of version 2, or if it is RTCP (RFC 5761, section 4).
[[nodiscard]] std::optional<RtpHeader> read_rtp(std::span<const std::byte> datagram) noexcept;

/// When the datagrams of one source come, against their timestamps. One thread writes, any reads
/// the counters. Valid as all zeroes.
///
/// - jitter: RFC 3550, A.8.
/// - delay factor: EBU Tech 3337 (TS-DF): the largest less the smallest relative transit time in
///   each second.
///
/// The clock of a payload type is known from RFC 3551, or learned from the stream: as soon as its
/// timestamps have gone on for a second at a rate that is usual. Until then nothing is told.
class RtpClock {
 public:
  /// A datagram that came at `now_ns`, CLOCK_MONOTONIC.
  void see(std::uint32_t timestamp, std::uint8_t payload_type, std::uint64_t now_ns) noexcept;

  /// Back to the begin, for another source.
  void reset() noexcept;

  [[nodiscard]] std::uint64_t hertz() const noexcept { return hertz_.get(); }  ///< 0: not known
  [[nodiscard]] std::uint64_t jitter_ns() const noexcept { return jitter_ns_.get(); }
  /// In the last full second.
  [[nodiscard]] std::uint64_t delay_factor_ns() const noexcept { return delay_factor_ns_.get(); }

 private:
  void learn(std::uint32_t timestamp, std::uint64_t now_ns) noexcept;
  void begin(std::uint32_t timestamp, std::uint8_t payload_type, std::uint64_t now_ns) noexcept;
  void use(std::uint64_t hertz) noexcept;
  void end_window(std::uint64_t now_ns) noexcept;

  bool started_ = false;
  std::uint8_t payload_type_ = 0;
  std::uint32_t timestamp_ = 0;  ///< of the last datagram
  std::uint64_t seen_ns_ = 0;    ///< of the last datagram
  std::uint32_t first_timestamp_ = 0;
  std::uint64_t first_ns_ = 0;
  std::uint64_t ns_of_tick_ = 0;     ///< times 2^16; 0: not known
  std::uint64_t scaled_jitter_ = 0;  ///< ns times 16
  std::int64_t transit_ns_ = 0;      ///< relative to the begin of the window
  std::int64_t transit_min_ns_ = 0;
  std::int64_t transit_max_ns_ = 0;
  std::uint64_t window_ns_ = 0;  ///< when it began
  Counter hertz_;
  Counter jitter_ns_;
  Counter delay_factor_ns_;
};

}  // namespace mcr::stream
