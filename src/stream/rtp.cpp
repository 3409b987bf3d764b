// Times are ns; the way from ticks to ns is a multiplication: a tick is ns_of_tick / 2^16 ns.
#include "mcr/stream/rtp.hpp"

#include <bitstream/ietf/rtp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "bytes.hpp"

namespace mcr::stream {

namespace {

constexpr std::size_t extension_header = 4;
constexpr std::uint64_t second = 1'000'000'000;

/// RFC 5761: the second bytes that RTCP uses, and RTP therefore does not.
bool is_rtcp(const std::uint8_t* header) noexcept {
  return header[1] >= 192 && header[1] <= 223;
}

/// RFC 3551, tables 4 and 5. 0: the type has no fixed clock.
std::uint64_t fixed_clock(std::uint8_t payload_type) noexcept {
  if (payload_type == 6) return 16'000;
  if (payload_type == 10 || payload_type == 11) return 44'100;
  if (payload_type == 16) return 11'025;
  if (payload_type == 17) return 22'050;
  if (payload_type == 14 || (payload_type >= 25 && payload_type <= 34)) return 90'000;
  if (payload_type <= 18) return 8'000;
  return 0;
}

/// The usual clock that is within 2 % of `hertz`; 0: none is.
std::uint64_t usual_clock(double hertz) noexcept {
  for (const auto usual : {8'000, 16'000, 22'050, 32'000, 44'100, 48'000, 90'000, 96'000})
    if (std::abs(hertz - usual) < 0.02 * usual) return static_cast<std::uint64_t>(usual);
  return 0;
}

}  // namespace

std::optional<RtpHeader> read_any_rtp(std::span<const std::byte> datagram) noexcept {
  const auto* bytes = octets(datagram.data());
  if (datagram.size() < RTP_HEADER_SIZE || !rtp_check_hdr(bytes) || is_rtcp(bytes)) return {};
  std::size_t header = RTP_HEADER_SIZE + std::size_t{4} * rtp_get_cc(bytes);
  if (rtp_check_extension(bytes)) {
    if (datagram.size() < header + extension_header) return {};
    header += extension_header + std::size_t{4} * read_u16(datagram.data() + header + 2);
  }
  const std::size_t padding = rtp_check_padding(bytes) ? read_u8(&datagram.back()) : 0;
  if (header + padding > datagram.size()) return {};
  return RtpHeader{rtp_get_int_ssrc(bytes), rtp_get_timestamp(bytes), rtp_get_seqnum(bytes),
                   rtp_get_type(bytes),
                   datagram.subspan(header, datagram.size() - header - padding)};
}

void RtpClock::reset() noexcept {
  started_ = false;
  ns_of_tick_ = 0;
  for (auto* counter : {&hertz_, &scaled_jitter_, &delay_factor_ns_})
    counter->set(0);
}

void RtpClock::use(std::uint64_t hertz) noexcept {
  ns_of_tick_ = hertz == 0 ? 0 : (second << 16U) / hertz;
  hertz_.set(hertz);
}

void RtpClock::begin(std::uint32_t timestamp, std::uint8_t payload_type,
                     std::uint64_t now_ns) noexcept {
  if (!started_ || payload_type != payload_type_) use(fixed_clock(payload_type));
  started_ = true;
  payload_type_ = payload_type;
  timestamp_ = first_timestamp_ = timestamp;
  seen_ns_ = first_ns_ = window_ns_ = now_ns;
  transit_ns_ = transit_min_ns_ = transit_max_ns_ = 0;
  scaled_jitter_.set(0);
}

void RtpClock::learn(std::uint32_t timestamp, std::uint64_t now_ns) noexcept {
  const auto passed = now_ns - first_ns_;
  if (passed < second) return;
  const auto ticks = static_cast<double>(timestamp - first_timestamp_);
  use(usual_clock(ticks * static_cast<double>(second) / static_cast<double>(passed)));
  first_timestamp_ = timestamp;
  first_ns_ = now_ns;
}

void RtpClock::end_window(std::uint64_t now_ns) noexcept {
  delay_factor_ns_.set(static_cast<std::uint64_t>(transit_max_ns_ - transit_min_ns_));
  transit_ns_ = transit_min_ns_ = transit_max_ns_ = 0;
  window_ns_ = now_ns;
}

void RtpClock::see_other(std::uint32_t timestamp, std::uint8_t payload_type,
                         std::uint64_t now_ns) noexcept {
  const auto ticks = std::int64_t{static_cast<std::int32_t>(timestamp - timestamp_)};
  if (!started_ || payload_type != payload_type_ || std::abs(ticks) > max_ticks ||
      now_ns - seen_ns_ > max_quiet_ns)
    return begin(timestamp, payload_type, now_ns);
  timestamp_ = timestamp;
  seen_ns_ = now_ns;
  learn(timestamp, now_ns);
}

}  // namespace mcr::stream
