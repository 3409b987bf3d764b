// Merging by number, "sequence": what goes on does so in the order of its numbers, and waits for
// what is missing before it. Theory in sequencer.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mcr/base/mapping.hpp"
#include "mcr/config/redundancy.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/redundancy/merge_counts.hpp"

namespace mcr::redundancy {

/// The place of a datagram in its stream. Positions only grow, also where numbers wrap or the
/// sender begins anew.
struct Place {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< of the one that follows it; begin: it has no number
};

/// A datagram that waits. It lies in the worker's memory, its payload behind it.
struct Waiting {
  Packet packet;  ///< of one datagram
  Place place;
  std::uint64_t came_ns = 0;
  std::uint16_t buffer = 0;  ///< that it lies in, with a reference
  bool leads = false;        ///< nothing before it came with a higher number
};

/// One rule's. The worker of the rule's lane calls all but set(). No allocation after construction.
class Sequencer {
 public:
  /// A datagram waits only for those less than so many numbers before it.
  static constexpr std::uint64_t most = 16'384;

  /// `counts` outlives it. Throws OsError.
  Sequencer(const Merge& merge, MergeCounts& counts);

  /// Sets `window` and `pace`, also for what waits already. For the control thread.
  void set(const Merge& merge) noexcept;

  /// The first position that is still open: each one before it has gone on, or never will.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

  /// True if a first copy goes on at once; then pass() it. Else hold() it, if has_room_for().
  [[nodiscard]] bool is_next(const Place& place) noexcept {
    if (next_ == 0) next_ = place.begin;
    return place.begin <= next_ && !paced();
  }
  void pass(const Place& place) noexcept {
    reach(place);
    next_ = std::max(next_, place.end);
  }
  /// False: it is too far ahead. Then call take_before(), go_early() and pass().
  [[nodiscard]] bool has_room_for(const Place& place) const noexcept {
    return place.begin - next_ < most && slot(place.begin) == nullptr;
  }
  /// Keeps `waiting`, whose place is set, until a take...() gives it back to its owner.
  void hold(Waiting& waiting, std::uint64_t now_ns) noexcept;

  /// True if the first that waits goes on, since all before it has gone on.
  [[nodiscard]] bool has_ready() const noexcept {
    return waiting_ != 0 && lowest_ <= next_ && !paced();
  }
  // Each gives the waiting datagram with the lowest number. Null: there is none of that kind.
  [[nodiscard]] Waiting* take_ready() noexcept { return has_ready() ? take() : nullptr; }
  /// One that may wait no longer.
  [[nodiscard]] Waiting* take_due(std::uint64_t now_ns) noexcept;
  void go_early() noexcept { counts_.early.add(1); }
  /// One that is before this place, and so goes early, too.
  [[nodiscard]] Waiting* take_before(const Place& place) noexcept;
  [[nodiscard]] Waiting* take_any() noexcept { return waiting_ != 0 ? take() : nullptr; }

  /// The time (CLOCK_MONOTONIC) from which take_due() gives something. Not if empty().
  [[nodiscard]] std::uint64_t due_ns() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return waiting_ == 0; }

 private:
  static constexpr unsigned word_bits = 64;

  [[nodiscard]] bool paced() const noexcept { return pace_.load(std::memory_order_relaxed); }
  [[nodiscard]] Waiting*& slot(std::uint64_t position) const noexcept {
    return slots_[position % most];
  }
  [[nodiscard]] std::uint64_t next_waiting(std::uint64_t position) const noexcept;
  [[nodiscard]] Waiting* take() noexcept;
  void reach(const Place& place) noexcept { highest_ = std::max(highest_, place.begin); }

  std::atomic<std::uint64_t> window_ns_;
  std::atomic<bool> pace_;
  MergeCounts& counts_;
  Mapping<Waiting*> slots_{most};                        ///< by position
  std::array<std::uint64_t, most / word_bits> taken_{};  ///< a bit for each slot
  std::uint64_t waiting_ = 0;                            ///< datagrams
  std::uint64_t next_ = 0;                               ///< 0: nothing came yet
  std::uint64_t highest_ = 0;                            ///< that came
  std::uint64_t lowest_ = 0;                             ///< that waits
  Waiting* leader_ = nullptr;  ///< the lowest that waits and leads; null: nothing waits
};

}  // namespace mcr::redundancy
