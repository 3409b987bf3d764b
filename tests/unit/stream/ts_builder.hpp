// Builds MPEG-TS packets and tables for the tests, by ISO/IEC 13818-1 and without the headers that
// the code under test reads them with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace mcr::test {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

inline void append(Bytes& to, std::uint64_t value, unsigned bytes) {
  while (bytes-- > 0)
    to.push_back(static_cast<std::byte>(value >> (8 * bytes)));
}

/// CRC-32/MPEG-2, bit by bit.
inline std::uint32_t crc32(const Bytes& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const auto byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte) << 24U;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 0x80000000U) != 0 ? crc << 1U ^ 0x04C11DB7U : crc << 1U;
  }
  return crc;
}

struct TsPacket {
  std::uint16_t pid = 0x100;
  std::uint8_t continuity = 0;
  bool has_payload = true;
  bool begins = false;
  bool error = false;
  bool discontinuity = false;
  std::uint8_t scrambling = 0;
  std::optional<std::uint64_t> pcr{};  ///< 27 MHz
  Bytes payload{};                     ///< the rest is stuffing
  std::uint8_t sync = 0x47;

  [[nodiscard]] Bytes build() const {
    Bytes adaptation;
    if (pcr || discontinuity || !has_payload) {
      append(adaptation, (discontinuity ? 0x80U : 0U) | (pcr ? 0x10U : 0U), 1);
      if (pcr) append(adaptation, (*pcr / 300) << 15U | 0x7E00U | *pcr % 300, 6);
      if (!has_payload) adaptation.resize(183, std::byte{0xFF});
    }
    Bytes packet;
    append(packet, sync, 1);
    append(packet, (error ? 0x8000U : 0U) | (begins ? 0x4000U : 0U) | pid, 2);
    append(packet,
           static_cast<unsigned>(scrambling) << 6U | (adaptation.empty() ? 0U : 0x20U) |
               (has_payload ? 0x10U : 0U) | continuity,
           1);
    if (!adaptation.empty()) append(packet, adaptation.size(), 1);
    append(packet, adaptation);
    if (has_payload) append(packet, payload);
    packet.resize(188, std::byte{0xFF});
    return packet;
  }
};

/// A section with its CRC; `broken`: a wrong one.
inline Bytes section(std::uint8_t table, std::uint16_t extension, std::uint8_t version,
                     const Bytes& body, bool broken = false) {
  Bytes bytes;
  append(bytes, table, 1);
  append(bytes, 0xB000U | (body.size() + 9), 2);
  append(bytes, extension, 2);
  append(bytes, 0xC1U | static_cast<unsigned>(version) << 1U, 1);
  append(bytes, 0, 2);
  append(bytes, body);
  append(bytes, crc32(bytes) ^ (broken ? 1U : 0U), 4);
  return bytes;
}

inline Bytes pat(const std::vector<std::pair<std::uint16_t, std::uint16_t>>& programs,
                 std::uint8_t version = 0, bool broken = false) {
  Bytes body;
  for (const auto& [number, pid] : programs) {
    append(body, number, 2);
    append(body, 0xE000U | pid, 2);
  }
  return section(0, 1, version, body, broken);
}

struct TestStream {
  std::uint8_t type;
  std::uint16_t pid;
  Bytes descriptors{};
};

inline Bytes pmt(std::uint16_t program, std::uint16_t pcr_pid,
                 const std::vector<TestStream>& streams, std::uint8_t version = 0) {
  Bytes body;
  append(body, 0xE000U | pcr_pid, 2);
  append(body, 0xF000U, 2);
  for (const auto& stream : streams) {
    append(body, stream.type, 1);
    append(body, 0xE000U | stream.pid, 2);
    append(body, 0xF000U | stream.descriptors.size(), 2);
    append(body, stream.descriptors);
  }
  return section(2, program, version, body);
}

/// A section in as many packets as it takes.
inline std::vector<Bytes> packetise(std::uint16_t pid, std::uint8_t& continuity, Bytes table) {
  table.insert(table.begin(), std::byte{0});  // pointer_field
  std::vector<Bytes> packets;
  for (std::size_t at = 0; at < table.size(); at += 184) {
    TsPacket packet{pid, continuity, true, at == 0};
    const auto end = std::min<std::size_t>(at + 184, table.size());
    packet.payload.assign(table.begin() + static_cast<std::ptrdiff_t>(at),
                          table.begin() + static_cast<std::ptrdiff_t>(end));
    packets.push_back(packet.build());
    continuity = static_cast<std::uint8_t>((continuity + 1U) & 0xFU);
  }
  return packets;
}

/// The begin of a PES packet of video, with a PTS.
inline Bytes pes_with_pts() {
  Bytes bytes;
  append(bytes, 0x000001E0, 4);
  append(bytes, 0, 2);
  append(bytes, 0x8080, 2);
  append(bytes, 5, 1);
  append(bytes, 0x2100010001, 5);
  return bytes;
}

inline Bytes rtp(std::uint16_t sequence, std::uint32_t timestamp, std::uint32_t ssrc,
                 const Bytes& payload, std::uint8_t type = 33) {
  Bytes bytes;
  append(bytes, 0x8000U | type, 2);
  append(bytes, sequence, 2);
  append(bytes, timestamp, 4);
  append(bytes, ssrc, 4);
  append(bytes, payload);
  return bytes;
}

inline Bytes mold(const char (&session)[11], std::uint64_t sequence, std::uint16_t messages) {
  Bytes bytes;
  for (int i = 0; i < 10; ++i)
    bytes.push_back(static_cast<std::byte>(session[i]));
  append(bytes, sequence, 8);
  append(bytes, messages, 2);
  for (std::uint16_t i = 0; i < messages && messages != 0xFFFF; ++i)
    append(bytes, 0x0003414243, 5);
  return bytes;
}

}  // namespace mcr::test
