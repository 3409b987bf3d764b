// Test datagrams: what `mcr gen` writes into them, and what `mcr sink` concludes from them.
//
// A payload of 32 bytes or more begins with this header, all fields little-endian:
//
//   offset  0  magic      u32   0x3170434D, the bytes "MCp1"
//           4  stream     u32   0 ... streams-1
//           8  sequence   u64   of that stream, from 0 or --first
//          16  sent       u64   ns, CLOCK_REALTIME of the sender
//          24  checksum   u64   over bytes 0-23, the payload's length, and the filler
//          32  filler           a fixed pattern: a function of the offset alone
//
// A shorter payload is the beginning of the same pattern; it can be counted and nothing else.
// Nothing here allocates after construction, nothing throws but std::bad_alloc; one thread each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

inline constexpr std::size_t probe_header_bytes = 32;
/// The largest UDP payload of IPv4: 65535 less the headers; IPv6 is held to the same.
inline constexpr std::size_t probe_max_bytes = 65'507;

struct Probe {
  std::uint32_t stream = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sent_ns = 0;  ///< CLOCK_REALTIME

  friend bool operator==(const Probe&, const Probe&) noexcept = default;
};

/// Writes datagrams of one size. The filler is written and summed once, so that each further
/// datagram in the same memory costs its header only.
class ProbeWriter {
 public:
  explicit ProbeWriter(std::size_t size);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// The whole payload as filler; `payload` has size() bytes.
  void fill(std::span<std::uint8_t> payload) const noexcept;
  /// The header of a payload that was filled before; nothing where size() is too small for one.
  void stamp(std::span<std::uint8_t> payload, const Probe& probe) const noexcept;

 private:
  std::size_t size_;
  std::uint64_t filler_sum_ = 0;
};

/// Reads a payload of 32 bytes or more, and checks all of it; nothing if one bit, or the length, is
/// not as it was written.
[[nodiscard]] std::optional<Probe> read_probe(std::span<const std::uint8_t> payload) noexcept;

/// The sequence numbers of one stream, told apart within a window of the newest `window`.
///
/// - lost: numbers missing between the first one seen and the highest. What is missing before the
///   first or after the highest is not known here.
/// - reordered: came after a higher number, for the first time; takes its loss back.
/// - duplicated: came before.
/// A number older than the window may have come before or not: it counts as reordered, and its loss
/// stays.
class SequenceTracker {
 public:
  static constexpr std::uint64_t window = 16'384;

  void saw(std::uint64_t sequence) noexcept;

  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  [[nodiscard]] std::uint64_t duplicated() const noexcept { return duplicated_; }
  [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_; }

 private:
  [[nodiscard]] bool test(std::uint64_t sequence) const noexcept;
  void set(std::uint64_t sequence) noexcept;
  void clear_between(std::uint64_t low, std::uint64_t high) noexcept;
  void advance(std::uint64_t sequence) noexcept;
  void late(std::uint64_t sequence) noexcept;

  bool started_ = false;
  std::uint64_t first_ = 0;
  std::uint64_t highest_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t duplicated_ = 0;
  std::uint64_t reordered_ = 0;
  std::array<std::uint64_t, window / 64> seen_{};  ///< one bit each, by sequence modulo window
};

/// Durations in ns, kept to within 1.6 %, up to 36 minutes (longer ones count as that long).
class LatencyHistogram {
 public:
  void add(std::uint64_t ns) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// Exact; 0 if nothing was added.
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  /// The duration that a share of `quantile` (0 ... 1) did not exceed; 0 if nothing was added.
  [[nodiscard]] std::uint64_t at(double quantile) const noexcept;

 private:
  static constexpr unsigned sub_bits = 6;  // 64 buckets an octave
  static constexpr unsigned max_bits = 41;
  static constexpr std::size_t buckets = std::size_t{max_bits - sub_bits + 1} << sub_bits;

  static std::size_t bucket(std::uint64_t ns) noexcept;
  static std::uint64_t highest_in(std::size_t bucket) noexcept;

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

/// Which stream belongs to which of a sink's groups, learned from what arrives: either the streams
/// lie in the order of the groups (beginning at any stream), or every group carries the same one.
/// The first datagram of all and the first one of a second group decide.
class StreamLayout {
 public:
  /// True if `stream` may appear in the sink's group of that index.
  [[nodiscard]] bool matches(std::uint32_t group, std::uint32_t stream) noexcept;

 private:
  enum class Kind : std::uint8_t { unknown, one_group, in_order, one_stream };

  Kind kind_ = Kind::unknown;
  std::uint32_t group_ = 0;
  std::uint32_t stream_ = 0;
};

/// The index of `address` in the `count` consecutive addresses from `base` on; none outside them.
[[nodiscard]] std::optional<std::uint32_t> group_index(const IpAddress& base, std::uint32_t count,
                                                       const IpAddress& address) noexcept;

/// Sums up what a sink received.
class TrafficJudge {
 public:
  struct Totals {
    std::uint64_t received = 0;  ///< all of them, with duplicates and corrupt ones
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    /// Magic, checksum or length are wrong, or the stream does not belong into its group. Such a
    /// one does not count for its stream: that sees a loss as well.
    std::uint64_t corrupt = 0;
    std::uint64_t bytes = 0;  ///< UDP payload

    [[nodiscard]] bool faultless() const noexcept {
      return lost == 0 && duplicated == 0 && reordered == 0 && corrupt == 0;
    }
  };

  explicit TrafficJudge(std::uint32_t groups) : streams_(groups), heard_(groups) {}

  /// One datagram for the group of that index (below `groups`), at `now_ns` CLOCK_REALTIME.
  void received(std::uint32_t group, std::span<const std::uint8_t> payload,
                std::uint64_t now_ns) noexcept;

  [[nodiscard]] Totals totals() const noexcept;
  /// From the sender's stamp to `now_ns`. Means nothing while clock_behind_ns() is not 0.
  [[nodiscard]] const LatencyHistogram& latency() const noexcept { return latency_; }
  /// How far our clock is behind the sender's, at least: the most by which a datagram came before
  /// it was sent. 0: no datagram did.
  [[nodiscard]] std::uint64_t clock_behind_ns() const noexcept { return clock_behind_ns_; }
  /// The groups for which nothing came at all, by index.
  [[nodiscard]] std::vector<std::uint32_t> silent_groups() const;

 private:
  std::vector<SequenceTracker> streams_;  ///< by group index
  StreamLayout layout_;
  LatencyHistogram latency_;
  std::vector<bool> heard_;  ///< by group index
  std::uint64_t clock_behind_ns_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t corrupt_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace mcr
