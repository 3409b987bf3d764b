// Merging by number: of each number the first datagram goes on, whichever leg
// brings it. When it goes on is not decided here (sequencer.hpp). Theory in
// by_number.cpp.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/mapping.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/redundancy/leg.hpp"
#include "mcr/redundancy/merge_counts.hpp"
#include "mcr/redundancy/numbers.hpp"
#include "mcr/redundancy/sequencer.hpp"

namespace mcr::redundancy {

/// One rule's. The worker of the rule's lane calls judge(). 256 KiB, of which a
/// stream touches what its numbers reach. No allocation after construction.
class ByNumber {
 public:
  using Datagram = std::span<const std::byte>;

  /// So many numbers are remembered: copies may come so much later. Of 16-bit
  /// numbers half of all.
  static constexpr std::uint64_t memory = 32'768;
  /// Datagrams of a leg that differ from what another leg brought under their
  /// numbers, less those that agree: then the leg is no copy.
  static constexpr std::uint32_t most_mismatches = 100;
  /// A leg that was not heard for so long has no say in what the stream is.
  static constexpr std::uint64_t quiet_ns = 1'000'000'000;

  /// `legs` and `counts` outlive it. Throws OsError.
  ByNumber(const Merge& merge, std::span<Leg, limits::legs> legs, MergeCounts& counts);

  /// Sets how long two runs of the sender go on side by side.
  void set_overlap(std::uint64_t ns) noexcept { overlap_ns_.store(ns, std::memory_order_relaxed); }

  /// Nothing: it goes on. `leg` is less than limits::legs; `now_ns`:
  /// CLOCK_MONOTONIC. What is new but before `settled` (a position, see Place)
  /// is late.
  [[nodiscard]] std::optional<InputDrop> judge(std::size_t leg, Datagram datagram,
                                               std::uint64_t now_ns,
                                               std::uint64_t settled = 0) noexcept;

  /// The place of the last datagram that judge() let pass.
  [[nodiscard]] const Place& last() const noexcept { return last_; }

 private:
  /// A number that is remembered. Valid as all zeroes.
  struct Cell {
    std::uint64_t tag : 16;     ///< of its place; 0: never used
    std::uint64_t legs : 8;     ///< a bit for each that brought it
    std::uint64_t digest : 20;  ///< of the datagram that begins here
    std::uint64_t time : 20;    ///< when it came, in units of 2^15 ns
  };
  static_assert(sizeof(Cell) == 8);

  /// The datagrams from one start of the sender to its next one.
  struct Run {
    std::uint32_t epoch = 0;  ///< grows with each; 0: there is none
    std::uint32_t id = 0;
    std::uint64_t first = 0;        ///< its lowest place
    std::uint64_t head = 0;         ///< the place after its highest one
    std::uint64_t head_number = 0;  ///< of head
    std::uint64_t count = 0;        ///< numbers of the stream up to head
    std::uint64_t skipped = 0;      ///< a position is a place less these
  };

  /// A datagram that does not fit what goes on: perhaps the sender has begun
  /// anew.
  struct Candidate {
    std::uint32_t id = 0;
    std::uint32_t count = 0;  ///< in a row; 0: none
    std::uint64_t number = 0;
    std::uint64_t since_ns = 0;
    std::uint64_t last_ns = 0;
  };

  struct LegState {
    std::uint32_t epoch = 0;      ///< of `next`; 0: it has brought nothing yet
    std::uint32_t dissent = 0;    ///< mismatches less agreements
    std::uint64_t next = 0;       ///< the place after the highest that it brought
    std::uint64_t last_ns = 0;    ///< when it last brought what fits
    std::uint64_t steady_ns = 0;  ///< when it last brought what fits or is late
    bool out = false;             ///< it is no copy: it is only compared
    Candidate candidate;
  };

  [[nodiscard]] std::optional<InputDrop> judge_other(std::size_t leg,
                                                     const std::optional<Bearing>& bearing,
                                                     std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool surely_fits(const Run& run, const LegState& from, const Bearing& bearing,
                                 std::uint64_t place, std::uint64_t now_ns) const noexcept;
  [[nodiscard]] std::optional<InputDrop> unnumbered(std::size_t leg, std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool is_late(const Run& run, std::size_t leg, const Bearing& bearing,
                             std::uint64_t now_ns) noexcept;
  [[nodiscard]] std::uint64_t place_of(const Run& run, const LegState& from, std::uint64_t number,
                                       std::uint64_t now_ns) const noexcept;
  [[nodiscard]] bool fits(const Run& run, std::size_t leg, const Bearing& bearing,
                          std::uint64_t now_ns) const noexcept;
  [[nodiscard]] Run* run_of(std::size_t leg, const Bearing& bearing, std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool goes_on(const Run& run, const LegState& from, std::uint64_t place,
                             std::uint64_t now_ns) const noexcept;
  [[nodiscard]] bool is_live(const Run& run, std::size_t leg, std::uint64_t now_ns) const noexcept;
  [[nodiscard]] std::size_t live_in(const Run& run, std::uint64_t now_ns,
                                    std::size_t but = limits::legs) const noexcept;
  [[nodiscard]] bool follow(std::size_t leg, const Bearing& bearing, std::uint64_t now_ns) noexcept;
  void end_overlap(std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool same_run(const Candidate& candidate, const Bearing& bearing,
                              std::uint64_t now_ns) const noexcept;
  void begin(const Bearing& bearing, bool beside, std::uint64_t now_ns) noexcept;
  [[nodiscard]] std::optional<InputDrop> take(Run& run, std::size_t leg, const Bearing& bearing,
                                              std::uint64_t place, std::uint64_t now_ns) noexcept;
  void take_new(Run& run, std::size_t leg, const Bearing& bearing, std::uint64_t place,
                std::uint64_t now_ns) noexcept;
  [[nodiscard]] InputDrop take_copy(std::size_t leg, const Bearing& bearing, Cell& cell,
                                    std::uint64_t now_ns) noexcept;
  [[nodiscard]] InputDrop mismatch(std::size_t leg, const Cell& cell) noexcept;
  void set_aside(std::size_t leg) noexcept;
  void grow(Run& run, std::uint64_t numbers) noexcept;
  void advance(Run& run, std::uint64_t end) noexcept;
  void note_reached(const Run& run, std::size_t leg, std::uint64_t place,
                    std::uint64_t end) noexcept;
  [[nodiscard]] std::int64_t distance(std::uint64_t from, std::uint64_t to) const noexcept;
  [[nodiscard]] Cell& cell_at(std::uint64_t place) const noexcept { return cells_[place % memory]; }
  [[nodiscard]] static std::uint64_t tag_of(std::uint64_t place) noexcept;
  [[nodiscard]] bool seen(std::uint64_t place) const noexcept;

  const Merge merge_;
  const stream::NumberSpace space_;
  const unsigned unused_;      ///< bits of 64 that no number has
  const std::int64_t behind_;  ///< numbers that are remembered
  const std::int64_t ahead_;   ///< numbers that may be missing at once
  std::span<Leg, limits::legs> counters_;
  MergeCounts& counts_;
  Mapping<Cell> cells_{memory};
  std::array<LegState, limits::legs> legs_{};
  Run run_;                     ///< that goes on
  Run ending_;                  ///< the one before, while some leg may still be in it
  std::uint64_t begun_ns_ = 0;  ///< when `ending_` began to end
  std::uint32_t epochs_ = 0;    ///< so far
  std::size_t leader_ = 0;      ///< the leg that brought the last new one
  std::uint64_t led_ns_ = 0;    ///< when
  std::uint64_t settled_ = 0;   ///< as judge() was told
  std::atomic<std::uint64_t> overlap_ns_{quiet_ns};
  Place last_;
};

}  // namespace mcr::redundancy
