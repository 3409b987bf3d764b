// Synchronisation, by ETSI TR 101 290, 5.2.1:
//
//   searching --five right sync bytes in a row--> synchronous --two wrong ones in a row-->
//   searching
//
// On IP a datagram usually holds 7 whole packets from its first byte on. Two other ways are known:
//   - each datagram has something before its first packet: `offset_`;
//   - the stream was cut anywhere: the begin of a packet is carried over into the next datagram.
//
// Times are arrivals. A pause of the whole stream is no fault of its tables and PCRs: it is told
// elsewhere, and here times count anew from its end on (`since_ns_`).
//
// The media delivery index (MDI, RFC 4445) is not built, because its RFC carries a patent notice.
#include "mcr/stream/ts_tracker.hpp"

#include <bitstream/mpeg/ts.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bytes.hpp"

namespace mcr::stream {

namespace {

constexpr unsigned good_to_lock = 5;
constexpr unsigned bad_to_lose = 2;
constexpr std::uint64_t check_period_ns = 100'000'000;
constexpr std::uint64_t pcr_modulus = (std::uint64_t{1} << 33U) * 300;
constexpr std::uint64_t max_pcr_step = 27'000'000 / 10;  // 100 ms
constexpr std::size_t max_adaptation = ts_packet_bytes - 5;

/// The first four bytes of a packet, without transport_priority, which says nothing here.
std::uint32_t header_of(const std::byte* packet) noexcept {
  constexpr std::uint32_t priority = 0x0020'0000;
  std::uint32_t word = 0;
  std::memcpy(&word, packet, sizeof word);
  return ntohl(word) & ~priority;
}

std::uint16_t pid_of(std::uint32_t header) noexcept {
  return static_cast<std::uint16_t>(header >> 8U & 0x1FFFU);
}

/// The same header, counted on by one.
std::uint32_t following(std::uint32_t header) noexcept {
  return (header & ~0xFU) | ((header + 1) & 0xFU);
}

/// The header of a packet that only counts on: a sync byte, the PID, and a payload that neither
/// begins a unit, nor is scrambled, nor has an adaptation field before it.
std::uint32_t plain_header(const PidRecord& record) noexcept {
  return following(0x4700'0010U | std::uint32_t{record.pid} << 8U | record.continuity);
}

/// Right sync bytes from `offset` on, `stride` apart; 0 if one of them is wrong.
std::size_t syncs(std::span<const std::byte> bytes, std::size_t offset,
                  std::size_t stride) noexcept {
  std::size_t count = 0;
  for (auto at = offset; at < bytes.size(); at += stride, ++count)
    if (bytes[at] != ts_sync) return 0;
  return count;
}

/// Bytes of the adaptation field behind its length; 0: none that is whole.
std::size_t adaptation(const std::uint8_t* packet) noexcept {
  if (!ts_has_adaptation(packet)) return 0;
  const std::size_t size = ts_get_adaptation(packet);
  return size <= max_adaptation ? size : 0;
}

bool is_table(const PidRecord& record) noexcept {
  return record.is_pmt || record.pid <= cat_pid;
}

std::span<const std::byte> payload_of(std::span<const std::byte, ts_packet_bytes> packet) noexcept {
  const auto* bytes = octets(packet.data());
  if (!ts_has_payload(bytes)) return {};
  const std::size_t header =
      TS_HEADER_SIZE + (ts_has_adaptation(bytes) ? std::size_t{1} + ts_get_adaptation(bytes) : 0);
  if (header >= ts_packet_bytes) return {};
  return std::span<const std::byte>(packet).subspan(header);
}

}  // namespace

std::size_t ts_stride(std::span<const std::byte> datagram, std::size_t wanted) noexcept {
  for (const std::size_t stride : {std::size_t{188}, std::size_t{204}})
    if (datagram.size() % stride == 0 && datagram.size() >= wanted * stride &&
        syncs(datagram, 0, stride) != 0)
      return stride;
  return 0;
}

bool ts_begins_inside(std::span<const std::byte> datagram) noexcept {
  for (const std::size_t stride : {std::size_t{188}, std::size_t{204}})
    for (std::size_t offset = 1; offset < std::min(stride, datagram.size()); ++offset)
      if (syncs(datagram, offset, stride) >= good_to_lock) return true;
  return false;
}

/// False: there is more to see in this packet.
inline bool TsTracker::begin_run(Run& run, std::uint32_t header, std::uint64_t now_ns) noexcept {
  const auto index = index_[pid_of(header)];
  if (index == 0) return false;
  auto& record = records_[index - 1U];
  if (header != plain_header(record) || !record.started || is_table(record)) return false;
  if (record.has_pts && is_pts_late(record, now_ns)) return false;
  run = {following(header), 1, &record};
  return true;
}

inline void TsTracker::end_run(Run& run, std::uint64_t now_ns) noexcept {
  if (run.packets == 0) return;
  auto& record = *run.record;
  packets_.add(run.packets);
  record.packets.add(run.packets);
  record.last_ns.set(now_ns);
  record.continuity = (run.next - 1) & 0xFU;
  record.duplicated = false;
  run = {};
}

void TsTracker::see(std::span<const std::byte> bytes, std::uint64_t now_ns) noexcept {
  if (now_ns - seen_ns_ > table_limit_ns) since_ns_ = checked_ns_ = now_ns;
  seen_ns_ = now_ns;
  if (!synchronous_ && !synchronise(bytes, now_ns)) return;
  if (now_ns - checked_ns_ >= check_period_ns) check_tables(now_ns);
  if (carried_ != 0 || offset_ != 0) bytes = first_packet(bytes, now_ns);
  Run run;
  for (; bytes.size() >= stride_; bytes = bytes.subspan(stride_)) {
    const auto header = header_of(bytes.data());
    if (header == run.next) {
      ++run.packets;
      run.next = following(header);
      continue;
    }
    end_run(run, now_ns);
    if (bytes.front() != ts_sync) [[unlikely]] {
      if (bad_sync(now_ns)) return;
      continue;
    }
    bad_ = 0;
    if (!begin_run(run, header, now_ns)) see_packet(bytes.first<ts_packet_bytes>(), now_ns);
  }
  end_run(run, now_ns);
  if (!bytes.empty()) carry(bytes);
}

/// Looks for the first packet. True once enough sync bytes stood where they should. A few may be
/// gathered over several datagrams; but not where a datagram begins with something else.
bool TsTracker::synchronise(std::span<const std::byte> bytes, std::uint64_t now_ns) noexcept {
  for (const std::size_t stride : {std::size_t{188}, std::size_t{204}})
    for (std::size_t offset = 0; offset < std::min(stride, bytes.size()); ++offset) {
      const auto count = syncs(bytes, offset, stride);
      if (count == 0 || (count < good_to_lock && offset != 0)) continue;
      const bool goes_on = stride == stride_ && offset == offset_;
      good_ = static_cast<std::uint16_t>(count + (goes_on ? good_ : 0U));
      stride_ = stride;
      offset_ = offset;
      synchronous_ = good_ >= good_to_lock;
      since_ns_ = checked_ns_ = now_ns;
      stride_shown_.set(stride);
      return synchronous_;
    }
  good_ = 0;
  return false;
}

/// From the first packet on; one that began in the last datagram is finished and seen before.
std::span<const std::byte> TsTracker::first_packet(std::span<const std::byte> bytes,
                                                   std::uint64_t now_ns) noexcept {
  const auto missing = stride_ - carried_;
  const bool fits = carried_ != 0 && (bytes.size() <= missing || bytes[missing] == ts_sync);
  if (!fits) {
    carried_ = 0;
    return bytes.subspan(std::min(offset_, bytes.size()));
  }
  const auto rest = bytes.first(std::min(missing, bytes.size()));
  std::ranges::copy(rest, carry_.begin() + static_cast<std::ptrdiff_t>(carried_));
  carried_ += rest.size();
  if (carried_ == stride_) {
    carried_ = 0;
    offset_ = 0;
    see_packet(std::span(carry_).first<ts_packet_bytes>(), now_ns);
  }
  return bytes.subspan(rest.size());
}

void TsTracker::carry(std::span<const std::byte> rest) noexcept {
  if (rest.front() != ts_sync) return;
  std::ranges::copy(rest, carry_.begin());
  carried_ = rest.size();
}

/// True: the synchronisation is lost.
bool TsTracker::bad_sync(std::uint64_t now_ns) noexcept {
  indicators_.raise(Indicator::sync_byte, now_ns);
  if (++bad_ < bad_to_lose) return false;
  indicators_.raise(Indicator::sync_loss, now_ns);
  synchronous_ = false;
  good_ = bad_ = 0;
  carried_ = 0;
  for (auto& record : std::span(records_).first(static_cast<std::size_t>(used_.get())))
    record.started = false;
  return true;
}

void TsTracker::see_packet(Packet packet, std::uint64_t now_ns) noexcept {
  const auto* bytes = octets(packet.data());
  packets_.add(1);
  const auto pid = ts_get_pid(bytes);
  if (pid == null_pid) return null_packets_.add(1);
  auto* record = record_of(pid);
  if (record == nullptr) return untracked_.add(1);
  record->packets.add(1);
  record->last_ns.set(now_ns);
  // Nothing else follows from a packet that is known to be broken.
  if (ts_get_transporterror(bytes)) {
    record->continuity = ts_get_cc(bytes);
    return indicators_.raise(Indicator::transport, now_ns);
  }
  const auto adapted = adaptation(bytes);
  const bool announced = adapted >= 1 && tsaf_has_discontinuity(bytes);
  see_continuity(*record, packet, announced, now_ns);
  if (announced) record->pcr_ns = 0;
  if (adapted >= 7 && tsaf_has_pcr(bytes)) see_pcr(*record, packet, now_ns);
  see_payload(*record, packet, now_ns);
}

/// ISO/IEC 13818-1, 2.4.3.3: counts packets with a payload; a packet may be sent twice.
void TsTracker::see_continuity(PidRecord& record, Packet packet, bool announced,
                               std::uint64_t now_ns) noexcept {
  const auto* bytes = octets(packet.data());
  const auto continuity = ts_get_cc(bytes);
  const bool has_payload = ts_has_payload(bytes);
  const bool expected = continuity == ((record.continuity + (has_payload ? 1U : 0U)) & 0xFU);
  const bool again = has_payload && continuity == record.continuity && !record.duplicated;
  if (record.started && !announced && !expected && !again) {
    record.cc_errors.add(1);
    indicators_.raise(Indicator::continuity, now_ns);
  }
  record.duplicated = has_payload && record.started && continuity == record.continuity;
  record.continuity = continuity;
  record.started = true;
}

void TsTracker::see_pcr(PidRecord& record, Packet packet, std::uint64_t now_ns) noexcept {
  const auto* bytes = octets(packet.data());
  const std::uint64_t pcr = tsaf_get_pcr(bytes) * 300 + tsaf_get_pcrext(bytes);
  if (record.pcr_ns != 0 && record.pcr_ns >= since_ns_) {
    const auto gap = now_ns - record.pcr_ns;
    if (gap > pcr_gap_max_ns_.get()) pcr_gap_max_ns_.set(gap);
    if (gap > pcr_limit_ns) indicators_.raise(Indicator::pcr_interval, now_ns);
    if ((pcr + pcr_modulus - record.pcr) % pcr_modulus > max_pcr_step)
      indicators_.raise(Indicator::pcr_step, now_ns);
  }
  record.pcr = pcr % pcr_modulus;
  record.pcr_ns = now_ns;
}

void TsTracker::see_payload(PidRecord& record, Packet packet, std::uint64_t now_ns) noexcept {
  const auto* bytes = octets(packet.data());
  if (ts_get_scrambling(bytes) != 0) {
    scrambled_.add(1);
    record.scrambled.add(1);
    record.has_pts = false;
    if (record.pid == pat_pid) indicators_.raise(Indicator::pat, now_ns);
    if (record.is_pmt) indicators_.raise(Indicator::pmt, now_ns);
    return;
  }
  const auto payload = payload_of(packet);
  const bool table = is_table(record);
  if (table) mailbox_.put(packet);
  if (!payload.empty() && ts_get_unitstart(bytes))
    table ? see_table(record, payload, now_ns) : see_pes(record, payload);
  if (!record.has_pts || table || !is_pts_late(record, now_ns)) return;
  indicators_.raise(Indicator::pts, now_ns);
  record.unit_ns.set(now_ns);
}

bool TsTracker::is_pts_late(const PidRecord& record, std::uint64_t now_ns) const noexcept {
  return now_ns - std::max(record.unit_ns.get(), since_ns_) > pts_limit_ns;
}

/// A table begins, or several: the first one's id tells that the right one came.
void TsTracker::see_table(PidRecord& record, std::span<const std::byte> payload,
                          std::uint64_t now_ns) noexcept {
  constexpr std::uint8_t pat_table = 0;
  constexpr std::uint8_t cat_table = 1;
  constexpr std::uint8_t pmt_table = 2;
  constexpr std::uint8_t stuffing = 0xFF;
  const std::size_t at = 1U + read_u8(payload.data());
  if (at >= payload.size()) return;
  const auto table = read_u8(payload.data() + at);
  const auto wanted = record.pid == pat_pid   ? pat_table
                      : record.pid == cat_pid ? cat_table
                                              : pmt_table;
  if (record.pid == pat_pid && table == wanted) see_pat(payload.subspan(at));
  if (table == wanted) return record.unit_ns.set(now_ns);
  if (table == stuffing || record.is_pmt) return;
  indicators_.raise(record.pid == pat_pid ? Indicator::pat : Indicator::cat, now_ns);
}

/// A PAT of another version may name other PIDs. The reader of the tables tells later which ones.
/// Until then no PMT is missed on the old PIDs, where there may be none any more.
void TsTracker::see_pat(std::span<const std::byte> section) noexcept {
  constexpr std::size_t version_at = 5;
  constexpr std::uint8_t current = 1;
  if (section.size() <= version_at) return;
  const std::uint8_t version = read_u8(section.data() + version_at) & 0x3FU;
  if ((version & current) == 0) return;
  if (pat_version_ != 0 && version != pat_version_) set_pmt_pids({});
  pat_version_ = version;
}

/// Video and audio have a PTS often enough to be missed; subtitles and data have not.
void TsTracker::see_pes(PidRecord& record, std::span<const std::byte> payload) noexcept {
  constexpr std::size_t flags_at = 7;
  if (payload.size() <= flags_at || read_big(payload.data(), 3) != 1) return;
  const auto stream = read_u8(payload.data() + 3);
  const bool is_media = (stream >= 0xC0 && stream <= 0xEF) || stream == 0xFD;
  if (!is_media || (read_u8(payload.data() + flags_at) & 0x80U) == 0) return;
  record.has_pts = true;
  record.unit_ns.set(seen_ns_);
}

PidRecord* TsTracker::record_of(std::uint16_t pid) noexcept {
  auto& index = index_[pid];
  if (index != 0) [[likely]]
    return &records_[index - 1U];
  const auto used = static_cast<std::size_t>(used_.get());
  if (used == max_pids) return nullptr;
  records_[used].pid = pid;
  index = static_cast<std::uint8_t>(used + 1);
  used_.add_last(1);
  return &records_[used];
}

const PidRecord* TsTracker::find(std::uint16_t pid) const noexcept {
  const auto all = pids();
  const auto found = std::ranges::find(all, pid, &PidRecord::pid);
  return found == all.end() ? nullptr : &*found;
}

void TsTracker::set_pmt_pids(std::span<const std::uint16_t> pids) noexcept {
  for (std::size_t i = 0; i < max_pmt_pids; ++i)
    pmt_pids_[i].store(i < pids.size() ? pids[i] : std::uint16_t{0}, std::memory_order_relaxed);
}

/// Raises once for each full `limit_ns` that a table is away.
void TsTracker::check(Indicator which, const PidRecord* record, std::uint64_t limit_ns,
                      std::uint64_t now_ns) noexcept {
  const auto from = std::max(since_ns_, record == nullptr ? 0 : record->unit_ns.get());
  const auto then = std::max(checked_ns_, from);
  if ((now_ns - from) / limit_ns > (then - from) / limit_ns) indicators_.raise(which, now_ns);
}

void TsTracker::check_tables(std::uint64_t now_ns) noexcept {
  const auto known = [this](std::uint16_t pid) {
    return index_[pid] == 0 ? nullptr : &records_[index_[pid] - 1U];
  };
  check(Indicator::pat, known(pat_pid), table_limit_ns, now_ns);
  if (scrambled_.get() != scrambled_then_)
    check(Indicator::cat, known(cat_pid), cat_limit_ns, now_ns);
  scrambled_then_ = scrambled_.get();
  for (auto& record : std::span(records_).first(static_cast<std::size_t>(used_.get())))
    record.was_pmt = std::exchange(record.is_pmt, false);
  for (const auto& pmt : pmt_pids_) {
    const auto pid = pmt.load(std::memory_order_relaxed) % ts_pids;
    if (pid <= cat_pid) break;
    auto* record = record_of(static_cast<std::uint16_t>(pid));
    if (record == nullptr) continue;
    record->is_pmt = true;
    if (!record->was_pmt) record->unit_ns.set(now_ns);  // whoever named it has only now been read
    check(Indicator::pmt, record, table_limit_ns, now_ns);
  }
  checked_ns_ = now_ns;
}

void TsTracker::reset() noexcept {
  const auto used = static_cast<std::size_t>(used_.get());
  used_.set(0);
  index_.fill(0);
  for (auto& record : std::span(records_).first(used)) {
    for (auto* counter :
         {&record.packets, &record.cc_errors, &record.scrambled, &record.last_ns, &record.unit_ns})
      counter->set(0);
    record.pcr = record.pcr_ns = 0;
    record.continuity = 0;
    record.started = record.duplicated = record.has_pts = record.is_pmt = record.was_pmt = false;
  }
  for (auto* counter :
       {&packets_, &null_packets_, &scrambled_, &untracked_, &stride_shown_, &pcr_gap_max_ns_})
    counter->set(0);
  indicators_.clear();
  set_pmt_pids({});
  seen_ns_ = since_ns_ = checked_ns_ = scrambled_then_ = 0;
  stride_ = offset_ = carried_ = 0;
  good_ = bad_ = 0;
  pat_version_ = 0;
  synchronous_ = false;
}

}  // namespace mcr::stream
