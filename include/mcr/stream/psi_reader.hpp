// The tables of an MPEG-TS (ISO/IEC 13818-1, 2.4.4): which programs and streams there are.
// Reads what a TsTracker puts into its mailbox. Not on the packet path: allocates. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/stream/indicators.hpp"
#include "mcr/stream/ts_tracker.hpp"

namespace mcr::stream {

/// Puts the sections of one PID together from its packets.
class SectionAssembler {
 public:
  static constexpr std::size_t max_bytes = 1024;  ///< of a PAT, CAT or PMT

  /// Calls `use(section)` for each section that the packet completes.
  template <typename Use>
  void add(std::span<const std::byte, ts_packet_bytes> packet, Use use) {
    auto [rest, fresh, begins] = split(packet);
    if (used_ != 0 && fill(rest)) use(take());
    if (begins) used_ = 0;
    constexpr std::byte stuffing{0xFF};
    while (!fresh.empty() && fresh.front() != stuffing && fill(fresh))
      use(take());
  }

 private:
  /// A packet's part of the section that began before, and the sections that begin here.
  struct Pieces {
    std::span<const std::byte> rest;
    std::span<const std::byte> fresh;
    bool begins = false;
  };

  Pieces split(std::span<const std::byte, ts_packet_bytes> packet) noexcept;
  bool fill(std::span<const std::byte>& from) noexcept;
  std::span<const std::byte> take() noexcept {
    return std::span<const std::byte>(bytes_).first(std::exchange(used_, 0));
  }

  bool started_ = false;
  std::uint8_t continuity_ = 0;
  std::size_t used_ = 0;
  std::array<std::byte, max_bytes> bytes_{};
};

struct ElementaryStream {
  std::uint16_t pid = 0;
  std::string kind;  ///< "H.264", "AAC", "SCTE-35"

  friend bool operator==(const ElementaryStream&, const ElementaryStream&) = default;
};

struct Program {
  std::uint16_t number = 0;
  std::uint16_t pmt_pid = 0;
  std::uint16_t pcr_pid = 0;
  std::optional<std::uint8_t> pmt_version;  ///< nothing until its PMT came
  std::vector<ElementaryStream> streams;

  friend bool operator==(const Program&, const Program&) = default;
};

/// One source's tables.
class PsiReader {
 public:
  /// Reads what the tracker's mailbox has, and tells it the PIDs of the PMTs. `now_ns`:
  /// CLOCK_MONOTONIC, for the time of CRC errors.
  void read(TsTracker& tracker, std::uint64_t now_ns);
  /// Empties the mailbox unread: what is in there is another source's.
  static void discard(TsTracker& tracker);

  [[nodiscard]] const std::vector<Program>& programs() const noexcept { return programs_; }
  [[nodiscard]] std::optional<std::uint8_t> pat_version() const noexcept { return pat_version_; }
  /// How often a PAT or PMT came with another version than before.
  [[nodiscard]] std::uint64_t version_changes() const noexcept { return version_changes_; }
  /// Indicator 2.2.
  [[nodiscard]] const Raised& crc_errors() const noexcept { return crc_errors_; }
  /// The kind of stream that the tables name for a PID; "" if they do not name it.
  [[nodiscard]] std::string kind_of(std::uint16_t pid) const;

 private:
  void section(std::uint16_t pid, std::span<const std::byte> bytes, std::uint64_t now_ns);
  void pat(std::span<const std::byte> bytes);
  void pmt(std::uint16_t pid, std::span<const std::byte> bytes);

  std::map<std::uint16_t, SectionAssembler> assemblers_;
  std::vector<Program> programs_;
  std::vector<Program> incoming_;  ///< of the PAT whose sections are coming
  std::optional<std::uint8_t> pat_version_;
  std::uint64_t version_changes_ = 0;
  Raised crc_errors_;
  std::uint16_t network_pid_ = 0;
};

}  // namespace mcr::stream
