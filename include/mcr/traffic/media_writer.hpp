// Streams as real ones are: RTP, MPEG-TS, and MPEG-TS in RTP, with correct headers, or with the
// defects that were asked for.
//
// A datagram is a function of its place in the stream: what the kernel refuses can be made again.
// The MPEG-TS has one program: PAT (PID 0), PMT (4096), H.264 with PCR (256), AAC (257), and null
// packets. Seven packets of 188 bytes are a datagram. Tables come each 100 ms, PCR and PTS each
// 20 ms, if the rate lets them; a stream has at least one of each in every datagram otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/traffic/defects.hpp"

namespace mcr {

class MediaWriter {
 public:
  static constexpr std::size_t packets = 7;
  static constexpr std::size_t ts_bytes = packets * 188;
  static constexpr std::size_t rtp_header = 12;
  static constexpr std::uint16_t pmt_pid = 4096;
  static constexpr std::uint16_t video_pid = 256;
  static constexpr std::uint16_t audio_pid = 257;

  struct Format {
    bool rtp = false;
    bool ts = false;
    std::size_t size = 0;  ///< of a datagram, bytes; with `ts` what it takes
    double pps = 1000;     ///< datagrams a second of each stream
  };

  MediaWriter(const Format& format, Defects defects);

  /// Bytes of each datagram.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Writes the datagram that stream `stream` sends as its n-th; `to` has size() bytes.
  void write(std::span<std::uint8_t> to, std::uint32_t stream, std::uint64_t n) const noexcept;

 private:
  using Packet = std::span<std::uint8_t, 188>;
  enum class Slot : std::uint8_t { pat, pmt, video, audio, null };

  void write_rtp(std::uint8_t* to, std::uint32_t stream, std::uint64_t datagram) const noexcept;
  void write_ts(std::span<std::uint8_t> to, std::uint64_t datagram) const noexcept;
  void write_media(Packet packet, std::uint16_t pid, std::uint64_t count, bool timed,
                   std::uint64_t datagram) const noexcept;
  void write_table(Packet packet, std::uint16_t pid, std::uint64_t count) const noexcept;
  [[nodiscard]] std::uint64_t ticks(std::uint64_t datagram, double hertz) const noexcept;
  [[nodiscard]] std::uint64_t each(double seconds) const noexcept;
  [[nodiscard]] static Slot slot(std::size_t packet, bool tables) noexcept;

  Format format_;
  Defects defects_;
  std::size_t size_;
  std::uint64_t tables_each_;  ///< datagrams
  std::uint64_t pcr_each_;
  std::uint64_t pts_each_;
};

}  // namespace mcr
