// Sections come in pieces of packets. Every length is checked against what is left of the one
// outside it, before biTStream's accessors read the fields.
#include "mcr/stream/psi_reader.hpp"

#include <bitstream/mpeg/psi/pat.h>
#include <bitstream/mpeg/psi/pmt.h>
#include <bitstream/mpeg/ts.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bytes.hpp"

namespace mcr::stream {

namespace {

constexpr std::size_t crc_bytes = PSI_CRC_SIZE;

/// DVB (EN 300 468, 6.1) and the registration descriptor tell what a private PES stream bears.
std::string private_kind(std::span<const std::byte> descriptors) {
  while (descriptors.size() >= 2) {
    const auto tag = read_u8(descriptors.data());
    const std::size_t size = 2U + read_u8(descriptors.data() + 1);
    if (size > descriptors.size()) break;
    if (tag == 0x6A) return "AC-3";
    if (tag == 0x7A) return "E-AC-3";
    if (tag == 0x7B) return "DTS";
    if (tag == 0x59) return "DVB subtitles";
    if (tag == 0x56) return "teletext";
    if (tag == 0x05 && size >= 6) {
      std::string name;
      for (std::size_t i = 2; i < 6; ++i) {
        const auto letter = static_cast<char>(read_u8(descriptors.data() + i));
        if (letter > ' ' && letter < 0x7F) name += letter;
      }
      return name;
    }
    descriptors = descriptors.subspan(size);
  }
  return "private data";
}

std::string stream_kind(std::uint8_t type, std::span<const std::byte> descriptors) {
  switch (type) {
    case PMT_STREAMTYPE_VIDEO_MPEG1:
      return "MPEG-1 video";
    case PMT_STREAMTYPE_VIDEO_MPEG2:
      return "MPEG-2 video";
    case PMT_STREAMTYPE_AUDIO_MPEG1:
    case PMT_STREAMTYPE_AUDIO_MPEG2:
      return "MPEG audio";
    case PMT_STREAMTYPE_PRIVATE_PSI:
      return "private sections";
    case PMT_STREAMTYPE_PRIVATE_PES:
      return private_kind(descriptors);
    case PMT_STREAMTYPE_AUDIO_ADTS:
    case PMT_STREAMTYPE_AUDIO_LATM:
      return "AAC";
    case PMT_STREAMTYPE_VIDEO_MPEG4:
      return "MPEG-4 video";
    case PMT_STREAMTYPE_VIDEO_AVC:
      return "H.264";
    case PMT_STREAMTYPE_VIDEO_HEVC:
      return "HEVC";
    case PMT_STREAMTYPE_ATSC_A52:
      return "AC-3";
    case PMT_STREAMTYPE_ATSC_A52E:
      return "E-AC-3";
    case PMT_STREAMTYPE_SCTE_35:
      return "SCTE-35";
    default:
      return fmt::format("type 0x{:02X}", type);
  }
}

/// EN 300 468, table 1.
std::string_view dvb_table(std::uint16_t pid) noexcept {
  switch (pid) {
    case 0x10:
      return "NIT";
    case 0x11:
      return "SDT";
    case 0x12:
      return "EIT";
    case 0x14:
      return "TDT";
    default:
      return "";
  }
}

std::uint16_t pid_at(const std::byte* from) noexcept {
  return read_u16(from) & 0x1FFFU;
}

}  // namespace

SectionAssembler::Pieces SectionAssembler::split(
    std::span<const std::byte, ts_packet_bytes> packet) noexcept {
  const auto* bytes = octets(packet.data());
  const auto continuity = ts_get_cc(bytes);
  if (!ts_has_payload(bytes) || (started_ && continuity == continuity_)) return {};
  if (continuity != ((continuity_ + 1U) & 0xFU)) used_ = 0;
  started_ = true;
  continuity_ = continuity;
  const std::size_t header =
      TS_HEADER_SIZE + (ts_has_adaptation(bytes) ? std::size_t{1} + ts_get_adaptation(bytes) : 0);
  if (header >= ts_packet_bytes) return {};
  const auto payload = std::span<const std::byte>(packet).subspan(header);
  if (!ts_get_unitstart(bytes)) return {payload, {}, false};
  const std::size_t pointer = 1U + read_u8(payload.data());
  if (pointer > payload.size()) return {};
  return {payload.subspan(1, pointer - 1), payload.subspan(pointer), true};
}

/// Takes what the section still needs of `from`; true if it is complete then.
bool SectionAssembler::fill(std::span<const std::byte>& from) noexcept {
  const auto grow_to = [&](std::size_t wanted) {
    const auto count = std::min(wanted - std::min(wanted, used_), from.size());
    std::copy_n(from.begin(), count, bytes_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += count;
    from = from.subspan(count);
    return used_ >= wanted;
  };
  if (!grow_to(PSI_HEADER_SIZE)) return false;
  const std::size_t size = PSI_HEADER_SIZE + std::size_t{psi_get_length(octets(bytes_.data()))};
  if (size <= max_bytes) return grow_to(size);
  used_ = 0;
  from = {};
  return false;
}

void PsiReader::read(TsTracker& tracker, std::uint64_t now_ns) {
  tracker.mailbox().take_all([&](std::span<const std::byte, ts_packet_bytes> packet) {
    const auto pid = ts_get_pid(octets(packet.data()));
    assemblers_[pid].add(packet, [&](auto bytes) { section(pid, bytes, now_ns); });
  });
  std::set<std::uint16_t> pmts;
  for (const auto& program : programs_)
    pmts.insert(program.pmt_pid);
  std::erase_if(assemblers_,
                [&](const auto& one) { return one.first > cat_pid && !pmts.contains(one.first); });
  tracker.set_pmt_pids(std::vector<std::uint16_t>(pmts.begin(), pmts.end()));
}

void PsiReader::discard(TsTracker& tracker) {
  tracker.mailbox().take_all([](auto) {});
}

void PsiReader::section(std::uint16_t pid, std::span<const std::byte> bytes, std::uint64_t now_ns) {
  const auto* fields = octets(bytes.data());
  if (!psi_get_syntax(fields) || bytes.size() < PSI_HEADER_SIZE_SYNTAX1 + crc_bytes) return;
  if (!psi_check_crc(fields)) {
    crc_errors_ = {crc_errors_.count + 1, now_ns};
    return;
  }
  if (!psi_get_current(fields)) return;
  const auto table = psi_get_tableid(fields);
  if (pid == pat_pid && table == PAT_TABLE_ID) pat(bytes);
  if (pid > cat_pid && table == PMT_TABLE_ID) pmt(pid, bytes);
}

/// A PAT is complete with its last section. What is known of a program stays if its PID does.
void PsiReader::pat(std::span<const std::byte> bytes) {
  const auto* fields = octets(bytes.data());
  const auto version = psi_get_version(fields);
  if (psi_get_section(fields) == 0) incoming_.clear();
  const auto end = bytes.size() - crc_bytes;
  for (std::size_t at = PAT_HEADER_SIZE; at + PAT_PROGRAM_SIZE <= end; at += PAT_PROGRAM_SIZE) {
    Program program;
    program.number = read_u16(bytes.data() + at);
    program.pmt_pid = pid_at(bytes.data() + at + 2);
    if (program.number == 0) network_pid_ = program.pmt_pid;
    if (program.number == 0 || incoming_.size() == TsTracker::max_pmt_pids) continue;
    const auto known = std::ranges::find_if(programs_, [&](const Program& other) {
      return other.number == program.number && other.pmt_pid == program.pmt_pid;
    });
    incoming_.push_back(known == programs_.end() ? program : *known);
  }
  if (psi_get_section(fields) != psi_get_lastsection(fields)) return;
  if (pat_version_ && *pat_version_ != version) ++version_changes_;
  pat_version_ = version;
  programs_ = std::move(incoming_);
  incoming_.clear();
}

void PsiReader::pmt(std::uint16_t pid, std::span<const std::byte> bytes) {
  const auto* fields = octets(bytes.data());
  const auto end = bytes.size() - crc_bytes;
  const auto number = psi_get_tableidext(fields);
  const auto program = std::ranges::find_if(
      programs_, [&](const Program& one) { return one.number == number && one.pmt_pid == pid; });
  if (program == programs_.end() || end < PMT_HEADER_SIZE) return;
  const auto version = psi_get_version(fields);
  if (program->pmt_version && *program->pmt_version != version) ++version_changes_;
  program->pmt_version = version;
  program->pcr_pid = pid_at(bytes.data() + 8);
  program->streams.clear();
  std::size_t at = PMT_HEADER_SIZE + (read_u16(bytes.data() + 10) & 0xFFFU);
  while (at + PMT_ES_SIZE <= end) {
    const auto* stream = bytes.data() + at;
    const std::size_t descriptors = read_u16(stream + 3) & 0xFFFU;
    at += PMT_ES_SIZE;
    if (at + descriptors > end) break;
    program->streams.push_back(
        {pid_at(stream + 1), stream_kind(read_u8(stream), bytes.subspan(at, descriptors))});
    at += descriptors;
  }
}

std::string PsiReader::kind_of(std::uint16_t pid) const {
  if (pid == pat_pid) return "PAT";
  if (pid == cat_pid) return "CAT";
  if (pid == null_pid) return "null";
  for (const auto& program : programs_) {
    if (program.pmt_pid == pid) return "PMT";
    for (const auto& stream : program.streams)
      if (stream.pid == pid) return stream.kind;
    if (program.pcr_pid == pid) return "PCR";
  }
  if (network_pid_ != 0 && pid == network_pid_) return "NIT";
  return std::string(dvb_table(pid));
}

}  // namespace mcr::stream
