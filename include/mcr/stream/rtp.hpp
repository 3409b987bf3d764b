// RTP (RFC 3550): the header of a datagram, and when its datagrams come.
#pragma once

#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// As read_rtp(), for any header.
[[nodiscard]] std::optional<RtpHeader> read_any_rtp(std::span<const std::byte> datagram) noexcept;

/// Reads a datagram whose header is RTP's without anything added, as most are; nothing for any
/// other.
[[nodiscard]] inline std::optional<RtpHeader> read_plain_rtp(
    std::span<const std::byte> datagram) noexcept {
  constexpr std::size_t plain_bytes = 12;
  constexpr std::byte plain{0x80};  // no padding, no extension, no contributing sources
  // RFC 5761: RTCP has 192 to 223 where RTP has its marker and payload type.
  if (datagram.size() < plain_bytes || datagram[0] != plain ||
      (std::to_integer<unsigned>(datagram[1]) & 0xE0U) == 0xC0U) [[unlikely]]
    return {};
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
  std::memcpy(&sequence, &datagram[2], sizeof sequence);
  std::memcpy(&timestamp, &datagram[4], sizeof timestamp);
  std::memcpy(&ssrc, &datagram[8], sizeof ssrc);
  return RtpHeader{ntohl(ssrc), ntohl(timestamp), ntohs(sequence),
                   static_cast<std::uint8_t>(std::to_integer<unsigned>(datagram[1]) & 0x7FU),
                   datagram.subspan(plain_bytes)};
}

/// Reads a datagram; nothing if it is not RTP of version 2, or if it is RTCP (RFC 5761, section 4).
[[nodiscard]] inline std::optional<RtpHeader> read_rtp(
    std::span<const std::byte> datagram) noexcept {
  if (const auto header = read_plain_rtp(datagram)) [[likely]]
    return header;
  return read_any_rtp(datagram);
}

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
  void see(std::uint32_t timestamp, std::uint8_t payload_type, std::uint64_t now_ns) noexcept {
    const auto ticks = std::int64_t{static_cast<std::int32_t>(timestamp - timestamp_)};
    const auto passed = now_ns - seen_ns_;
    if (ns_of_tick_ == 0 || payload_type != payload_type_ || ticks > max_ticks ||
        ticks < -max_ticks || passed > max_quiet_ns) [[unlikely]]
      return see_other(timestamp, payload_type, now_ns);
    timestamp_ = timestamp;
    seen_ns_ = now_ns;
    take_transit(static_cast<std::int64_t>(passed) -
                 ((ticks * static_cast<std::int64_t>(ns_of_tick_)) >> 16));
    if (now_ns - window_ns_ >= window) [[unlikely]]
      end_window(now_ns);
  }

  /// Back to the begin, for another source.
  void reset() noexcept;

  [[nodiscard]] std::uint64_t hertz() const noexcept { return hertz_.get(); }  ///< 0: not known
  [[nodiscard]] std::uint64_t jitter_ns() const noexcept { return scaled_jitter_.get() >> 4U; }
  /// In the last full second.
  [[nodiscard]] std::uint64_t delay_factor_ns() const noexcept { return delay_factor_ns_.get(); }

 private:
  static constexpr std::uint64_t window = 1'000'000'000;  ///< ns
  /// More ticks than this between two datagrams are no time that passed.
  static constexpr std::int64_t max_ticks = 1 << 24;
  /// A source that was quiet for longer begins anew.
  static constexpr std::uint64_t max_quiet_ns = 10'000'000'000;

  /// A datagram that came `late` ns later after the one before than their timestamps say.
  void take_transit(std::int64_t late) noexcept {
    const auto jitter = scaled_jitter_.get();
    scaled_jitter_.set(jitter + static_cast<std::uint64_t>(late < 0 ? -late : late) -
                       ((jitter + 8) >> 4U));
    transit_ns_ += late;
    transit_min_ns_ = std::min(transit_min_ns_, transit_ns_);
    transit_max_ns_ = std::max(transit_max_ns_, transit_ns_);
  }
  void see_other(std::uint32_t timestamp, std::uint8_t payload_type, std::uint64_t now_ns) noexcept;
  void learn(std::uint32_t timestamp, std::uint64_t now_ns) noexcept;
  void begin(std::uint32_t timestamp, std::uint8_t payload_type, std::uint64_t now_ns) noexcept;
  void use(std::uint64_t hertz) noexcept;
  void end_window(std::uint64_t now_ns) noexcept;

  // 64 bytes that each datagram needs.
  std::uint64_t ns_of_tick_ = 0;  ///< times 2^16; 0: not known
  std::uint64_t seen_ns_ = 0;     ///< of the last datagram
  std::uint32_t timestamp_ = 0;   ///< of the last datagram
  std::uint8_t payload_type_ = 0;
  bool started_ = false;
  Counter scaled_jitter_;        ///< ns times 16
  std::int64_t transit_ns_ = 0;  ///< relative to the begin of the window
  std::int64_t transit_min_ns_ = 0;
  std::int64_t transit_max_ns_ = 0;
  std::uint64_t window_ns_ = 0;  ///< when it began

  std::uint32_t first_timestamp_ = 0;
  std::uint64_t first_ns_ = 0;
  Counter hertz_;
  Counter delay_factor_ns_;
};

}  // namespace mcr::stream
