// MPEG-TS (ISO/IEC 13818-1): the packets of one source, and the indicators that they raise.
//
// The thread that receives looks at each packet's header, counts by PID and puts packets with
// tables into a mailbox. Packets of one PID that only count on are counted together. The tables are
// read elsewhere (psi_reader.hpp), which tells here what PIDs have PMTs.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/base/counter.hpp"
#include "mcr/stream/indicators.hpp"
#include "mcr/stream/psi_mailbox.hpp"

namespace mcr::stream {

inline constexpr std::byte ts_sync{0x47};
inline constexpr std::uint16_t ts_pids = 8192;
inline constexpr std::uint16_t pat_pid = 0;
inline constexpr std::uint16_t cat_pid = 1;
inline constexpr std::uint16_t null_pid = 0x1FFF;

/// The size of the packets of which `datagram` has at least `wanted` from its begin on: 188 or 204
/// (with the 16 bytes of its Reed-Solomon code); 0: neither.
[[nodiscard]] std::size_t ts_stride(std::span<const std::byte> datagram,
                                    std::size_t wanted) noexcept;

/// True if five packets or more stand in `datagram`, up to its end, behind something else.
[[nodiscard]] bool ts_begins_inside(std::span<const std::byte> datagram) noexcept;

/// A PID that was seen. One cache line; times are CLOCK_MONOTONIC in ns, 0: none yet.
struct alignas(64) PidRecord {
  Counter packets;
  Counter cc_errors;
  Counter scrambled;         ///< packets
  Counter last_ns;           ///< of its last packet
  Counter unit_ns;           ///< its last PTS, PAT, CAT or PMT; of a PMT at first: awaited since
  std::uint64_t pcr = 0;     ///< 27 MHz
  std::uint64_t pcr_ns = 0;  ///< when it came
  std::uint16_t pid = 0;
  std::uint8_t continuity = 0;
  bool started = false;     ///< has a continuity counter to compare with
  bool duplicated = false;  ///< the last packet has come twice
  bool has_pts = false;
  bool is_pmt = false;
  bool was_pmt = false;  ///< at the check_tables() before
};
static_assert(sizeof(PidRecord) == 64);

/// One source's packets. One thread calls see(); any reads the counters; one other thread takes
/// from the mailbox and sets PMT PIDs. Valid as all zeroes.
class TsTracker {
 public:
  static constexpr std::size_t max_pids = 128;  ///< further ones are counted, but not tracked
  static constexpr std::size_t max_pmt_pids = 64;
  static constexpr std::uint64_t table_limit_ns = 500'000'000;
  static constexpr std::uint64_t pcr_limit_ns = 100'000'000;
  static constexpr std::uint64_t pts_limit_ns = 700'000'000;
  static constexpr std::uint64_t cat_limit_ns = 10'000'000'000;  ///< ours: ETSI names none

  /// The TS bytes of one datagram, which came at `now_ns`. Packets may begin anywhere in it, and
  /// may go over into the next one.
  void see(std::span<const std::byte> bytes, std::uint64_t now_ns) noexcept;

  /// Back to the begin, for another source. The mailbox keeps what it has: its reader empties it.
  void reset() noexcept;

  /// All PIDs that the PAT names for PMTs; those above max_pmt_pids are left out.
  void set_pmt_pids(std::span<const std::uint16_t> pids) noexcept;

  /// The writer's to ask.
  [[nodiscard]] bool synchronous() const noexcept { return synchronous_; }

  [[nodiscard]] std::uint64_t packets() const noexcept { return packets_.get(); }
  [[nodiscard]] std::uint64_t cc_errors() const noexcept {
    return indicators_[Indicator::continuity].count.get();
  }
  [[nodiscard]] std::uint64_t null_packets() const noexcept { return null_packets_.get(); }
  [[nodiscard]] std::uint64_t scrambled() const noexcept { return scrambled_.get(); }
  [[nodiscard]] std::uint64_t untracked() const noexcept { return untracked_.get(); }
  [[nodiscard]] std::uint64_t packet_bytes() const noexcept { return stride_shown_.get(); }
  /// The longest time from PCR to PCR of a PID since it was synchronous, by arrival.
  [[nodiscard]] std::uint64_t pcr_gap_max_ns() const noexcept { return pcr_gap_max_ns_.get(); }
  [[nodiscard]] const Indicators& indicators() const noexcept { return indicators_; }
  /// In the order of their first packet.
  [[nodiscard]] std::span<const PidRecord> pids() const noexcept {
    return std::span(records_).first(static_cast<std::size_t>(used_.get_last()));
  }
  [[nodiscard]] const PidRecord* find(std::uint16_t pid) const noexcept;
  [[nodiscard]] PsiMailbox& mailbox() noexcept { return mailbox_; }

 private:
  using Packet = std::span<const std::byte, ts_packet_bytes>;

  /// Packets of one PID, side by side in a datagram, that have nothing but a payload and count on:
  /// nearly all are so. Their headers tell it, by one comparison each.
  struct Run {
    static constexpr std::uint32_t no_header = ~0U;

    std::uint32_t next = no_header;  ///< the header that goes on with it
    std::uint32_t packets = 0;
    PidRecord* record = nullptr;
  };

  bool synchronise(std::span<const std::byte> bytes, std::uint64_t now_ns) noexcept;
  [[nodiscard]] std::span<const std::byte> first_packet(std::span<const std::byte> bytes,
                                                        std::uint64_t now_ns) noexcept;
  void carry(std::span<const std::byte> rest) noexcept;
  bool bad_sync(std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool begin_run(Run& run, std::uint32_t header, std::uint64_t now_ns) noexcept;
  void end_run(Run& run, std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool is_pts_late(const PidRecord& record, std::uint64_t now_ns) const noexcept;
  void see_packet(Packet packet, std::uint64_t now_ns) noexcept;
  void see_continuity(PidRecord& record, Packet packet, bool announced,
                      std::uint64_t now_ns) noexcept;
  void see_pcr(PidRecord& record, Packet packet, std::uint64_t now_ns) noexcept;
  void see_payload(PidRecord& record, Packet packet, std::uint64_t now_ns) noexcept;
  void see_table(PidRecord& record, std::span<const std::byte> payload,
                 std::uint64_t now_ns) noexcept;
  void see_pat(std::span<const std::byte> section) noexcept;
  void see_pes(PidRecord& record, std::span<const std::byte> payload) noexcept;
  PidRecord* record_of(std::uint16_t pid) noexcept;
  void check_tables(std::uint64_t now_ns) noexcept;
  void check(Indicator which, const PidRecord* record, std::uint64_t limit_ns,
             std::uint64_t now_ns) noexcept;

  // The first line: what each datagram needs.
  std::uint64_t seen_ns_ = 0;     ///< the last datagram
  std::uint64_t since_ns_ = 0;    ///< times count from here: synchronous, and no silence since
  std::uint64_t checked_ns_ = 0;  ///< the last check_tables()
  std::size_t stride_ = 0;        ///< from packet to packet, bytes; 0: not known
  std::size_t offset_ = 0;        ///< of the first packet in a datagram, bytes
  std::size_t carried_ = 0;       ///< bytes of carry_
  std::uint16_t good_ = 0;        ///< right sync bytes in a row, until it is synchronous
  std::uint16_t bad_ = 0;         ///< wrong ones in a row
  std::uint8_t pat_version_ = 0;  ///< with the bit of a current one; 0: none came yet
  bool synchronous_ = false;
  Counter packets_;

  std::uint64_t scrambled_then_ = 0;  ///< at the last check_tables()
  std::array<std::byte, 204> carry_;  ///< begin of a packet that goes on in the next datagram
  Counter null_packets_;
  Counter scrambled_;
  Counter untracked_;
  Counter stride_shown_;
  Counter pcr_gap_max_ns_;
  Counter used_;  ///< of records_
  Indicators indicators_;
  std::array<std::atomic<std::uint16_t>, max_pmt_pids> pmt_pids_;  ///< 0: none
  std::array<std::uint8_t, ts_pids> index_;                        ///< in records_, + 1
  std::array<PidRecord, max_pids> records_;
  PsiMailbox mailbox_;
};

}  // namespace mcr::stream
