// Everything that a packet bears is computed from the number of its datagram: continuity counters,
// PCR and PTS. Nothing is remembered from datagram to datagram.
#include "mcr/traffic/media_writer.hpp"

#include <bitstream/ietf/rtp.h>
#include <bitstream/mpeg/psi/pat.h>
#include <bitstream/mpeg/psi/pmt.h>
#include <bitstream/mpeg/ts.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace mcr {

namespace {

constexpr std::uint32_t first_ssrc = 0x4D435200;  // "MCR"
constexpr std::uint8_t ts_type = 33;              // RFC 3551
constexpr std::uint8_t any_type = 96;
constexpr std::uint64_t restart_step = 20'000;
constexpr std::uint16_t null_pid = 0x1FFF;
constexpr std::uint8_t wrong_sync = 0x48;
constexpr std::uint64_t pcr_delay = 90'000 / 2;  // a PTS is half a second ahead of the PCR
constexpr std::size_t pes_header = 14;

void write_header(std::uint8_t* packet, std::uint16_t pid, std::uint64_t count) noexcept {
  ts_init(packet);
  ts_set_pid(packet, pid);
  ts_set_cc(packet, static_cast<std::uint8_t>(count & 0xFU));
  ts_set_payload(packet);
}

/// ISO/IEC 13818-1, 2.4.3.6: a PES header with a PTS and an unknown length.
void write_pes(std::uint8_t* to, std::uint8_t stream, std::uint64_t pts) noexcept {
  const std::array<std::uint8_t, pes_header> header{
      0,
      0,
      1,
      stream,
      0,
      0,
      0x80,
      0x80,
      5,
      static_cast<std::uint8_t>(0x21U | (pts >> 29U & 0xEU)),
      static_cast<std::uint8_t>(pts >> 22U),
      static_cast<std::uint8_t>(pts >> 14U | 1U),
      static_cast<std::uint8_t>(pts >> 7U),
      static_cast<std::uint8_t>(pts << 1U | 1U)};
  std::ranges::copy(header, to);
}

void write_pat(std::uint8_t* section) noexcept {
  pat_init(section);
  pat_set_length(section, PAT_PROGRAM_SIZE);
  pat_set_tsid(section, 1);
  psi_set_version(section, 0);
  psi_set_current(section);
  psi_set_section(section, 0);
  psi_set_lastsection(section, 0);
  auto* program = section + PAT_HEADER_SIZE;
  patn_init(program);
  patn_set_program(program, 1);
  patn_set_pid(program, MediaWriter::pmt_pid);
}

void write_pmt(std::uint8_t* section) noexcept {
  pmt_init(section);
  pmt_set_length(section, 2 * PMT_ES_SIZE);
  pmt_set_program(section, 1);
  psi_set_version(section, 0);
  psi_set_current(section);
  pmt_set_pcrpid(section, MediaWriter::video_pid);
  pmt_set_desclength(section, 0);
  auto* stream = section + PMT_HEADER_SIZE;
  for (const auto& [type, pid] : {std::pair{PMT_STREAMTYPE_VIDEO_AVC, MediaWriter::video_pid},
                                  std::pair{PMT_STREAMTYPE_AUDIO_ADTS, MediaWriter::audio_pid}}) {
    pmtn_init(stream);
    pmtn_set_streamtype(stream, static_cast<std::uint8_t>(type));
    pmtn_set_pid(stream, pid);
    pmtn_set_desclength(stream, 0);
    stream += PMT_ES_SIZE;
  }
}

}  // namespace

MediaWriter::MediaWriter(const Format& format, Defects defects)
    : format_(format),
      defects_(std::move(defects)),
      size_(format.ts ? ts_bytes + (format.rtp ? rtp_header : 0) : format.size),
      tables_each_(each(0.1)),
      pcr_each_(each(defects_.has(Defect::Kind::pcr_gap) ? 0.16 : 0.02)),
      pts_each_(pcr_each_ * (defects_.has(Defect::Kind::pts_gap) ? 100 : 1)) {}

/// As many datagrams as last for so long, at least one.
std::uint64_t MediaWriter::each(double seconds) const noexcept {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(format_.pps * seconds));
}

std::uint64_t MediaWriter::ticks(std::uint64_t datagram, double hertz) const noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(datagram) / format_.pps * hertz);
}

void MediaWriter::write(std::span<std::uint8_t> to, std::uint32_t stream,
                        std::uint64_t n) const noexcept {
  const auto datagram = defects_.datagram(n);
  if (format_.rtp) {
    write_rtp(to.data(), stream, datagram);
    to = to.subspan(rtp_header);
  }
  if (format_.ts) write_ts(to, datagram);
}

void MediaWriter::write_rtp(std::uint8_t* to, std::uint32_t stream,
                            std::uint64_t datagram) const noexcept {
  const auto restarts = defects_.times(Defect::Kind::restart, datagram);
  std::memset(to, 0, rtp_header);
  rtp_set_hdr(to);
  rtp_set_type(to, format_.ts ? ts_type : any_type);
  rtp_set_seqnum(to, static_cast<std::uint16_t>(datagram + restarts * restart_step));
  rtp_set_timestamp(to, static_cast<std::uint32_t>(ticks(datagram, 90'000)));
  rtp_set_int_ssrc(to, first_ssrc + stream);
}

MediaWriter::Slot MediaWriter::slot(std::size_t packet, bool tables) noexcept {
  if (packet == packets - 1) return Slot::null;
  if (packet == packets - 2) return Slot::audio;
  if (tables && packet < 2) return packet == 0 ? Slot::pat : Slot::pmt;
  return Slot::video;
}

/// Continuity counters follow from the datagram's number: two of its five packets of video make
/// room for tables in each `tables_each_`-th.
void MediaWriter::write_ts(std::span<std::uint8_t> to, std::uint64_t datagram) const noexcept {
  const auto tables_before = (datagram + tables_each_ - 1) / tables_each_;
  const bool tables = datagram % tables_each_ == 0;
  auto video = datagram * (packets - 2) - 2 * tables_before;
  bool pcr_due = datagram % pcr_each_ == 0;
  for (std::size_t i = 0; i < packets; ++i) {
    const auto packet = to.subspan(i * 188).first<188>();
    std::ranges::fill(packet, std::uint8_t{0xFF});
    switch (slot(i, tables)) {
      case Slot::pat:
        write_table(packet, PAT_PID, datagram / tables_each_);
        break;
      case Slot::pmt:
        write_table(packet, pmt_pid, datagram / tables_each_);
        break;
      case Slot::video:
        write_media(packet, video_pid, video++, std::exchange(pcr_due, false), datagram);
        break;
      case Slot::audio:
        write_media(packet, audio_pid, datagram, false, datagram);
        if (defects_.at(Defect::Kind::sync_loss, datagram)) packet[0] = wrong_sync;
        break;
      case Slot::null:
        write_header(packet.data(), null_pid, 0);
        if (defects_.at(Defect::Kind::sync, datagram) ||
            defects_.at(Defect::Kind::sync_loss, datagram))
          packet[0] = wrong_sync;
        break;
    }
  }
}

void MediaWriter::write_table(Packet packet, std::uint16_t pid,
                              std::uint64_t count) const noexcept {
  const bool is_pat = pid == PAT_PID;
  if (defects_.has(is_pat ? Defect::Kind::no_pat : Defect::Kind::no_pmt))
    return write_header(packet.data(), null_pid, 0);
  write_header(packet.data(), pid, count + defects_.times(Defect::Kind::cc, count, pid));
  ts_set_unitstart(packet.data());
  packet[4] = 0;  // pointer_field
  auto* section = packet.data() + 5;
  is_pat ? write_pat(section) : write_pmt(section);
  psi_set_crc(section);
  if (is_pat && defects_.at(Defect::Kind::crc, count)) section[5 + 3] ^= 1U;
}

/// `timed`: with a PCR.
void MediaWriter::write_media(Packet packet, std::uint16_t pid, std::uint64_t count, bool timed,
                              std::uint64_t datagram) const noexcept {
  auto* bytes = packet.data();
  write_header(bytes, pid, count + defects_.times(Defect::Kind::cc, count, pid));
  std::size_t payload = TS_HEADER_SIZE;
  if (timed) {
    constexpr std::uint8_t pcr_bytes = 7;
    const auto step = defects_.times(Defect::Kind::pcr_step, datagram) * 10 * 90'000;
    ts_set_adaptation(bytes, pcr_bytes);
    tsaf_set_pcr(bytes, (ticks(datagram, 90'000) + step) & 0x1FFFFFFFFU);
    tsaf_set_pcrext(bytes, 0);
    payload += 1 + pcr_bytes;
  }
  const bool begins = datagram % pts_each_ == 0 && (timed || pid == audio_pid);
  if (begins) {
    ts_set_unitstart(bytes);
    write_pes(bytes + payload, pid == video_pid ? 0xE0 : 0xC0,
              (ticks(datagram, 90'000) + pcr_delay) & 0x1FFFFFFFFU);
  }
  if (defects_.at(Defect::Kind::tei, count, pid)) ts_set_transporterror(bytes);
  if (defects_.has(Defect::Kind::scrambled, pid)) ts_set_scrambling(bytes, 2);
}

}  // namespace mcr
