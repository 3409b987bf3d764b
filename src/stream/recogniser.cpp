#include "mcr/stream/recogniser.hpp"

#include "mcr/stream/moldudp64.hpp"
#include "mcr/stream/rtp.hpp"
#include "mcr/stream/ts_tracker.hpp"

namespace mcr::stream {

namespace {

constexpr std::uint32_t looks_at_first = 16;
constexpr std::uint32_t looks_at_each = 64;
constexpr unsigned single_packets_wanted = 5;
constexpr std::uint16_t max_gap = 100;  // RTP datagrams lost or swapped while we look

}  // namespace

Kind Recogniser::see(std::span<const std::byte> datagram) noexcept {
  ++seen_;
  // Two in sequence are needed: each 64th and the one after it.
  if (seen_ > looks_at_first && seen_ % looks_at_each > 1) return Kind::unknown;
  return look(datagram);
}

Kind Recogniser::look(std::span<const std::byte> datagram) noexcept {
  if (ts_stride(datagram, 2) != 0) return Kind::ts;
  if (ts_stride(datagram, 1) != 0 && ++single_packets_ == single_packets_wanted) return Kind::ts;
  if (const auto mold = read_moldudp64(datagram); mold && mold->messages != 0)
    return Kind::moldudp64;
  return look_at_rtp(datagram);
}

Kind Recogniser::look_at_rtp(std::span<const std::byte> datagram) noexcept {
  const auto header = read_rtp(datagram);
  if (!header) return ts_begins_inside(datagram) ? Kind::ts : Kind::unknown;
  const auto step = static_cast<std::uint16_t>(header->sequence - sequence_);
  const bool follows = has_rtp_ && header->ssrc == ssrc_ && step != 0 && step <= max_gap;
  has_rtp_ = true;
  ssrc_ = header->ssrc;
  before_ = sequence_;
  sequence_ = header->sequence;
  if (!follows) return Kind::unknown;
  return ts_stride(header->payload, 1) != 0 ? Kind::rtp_ts : Kind::rtp;
}

}  // namespace mcr::stream
