// The legs of one rule: its inputs, as `merge` or `failover` make one stream of them.
//
// One worker has all legs of a rule. Fanout spreads flows over workers, and each leg is a flow of
// its own. The legs of a rule have a lane: sockets outside of the fanout, read by one worker
// (config/redundancy.hpp, InputKind::lane). So everything here has one writer, and
//   - one worker and several give the same result, by construction;
//   - what goes on leaves in the order in which it came, since one worker sends it: with a bitmap
//     that all workers share, two of them would send parts of one stream, each at its own time;
//   - the cut of a failover lies between two datagrams: the worker that reads the new input on air
//     has already sent, or queued before, all that it took from the old one;
//   - `duplicate` costs a look at one cell, with no atomic read-modify-write.
// It costs a filter more for each frame of an interface with a lane, and one worker bounds the rate
// of a lane's rules. Rules are spread over four lanes by their names.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/mapping.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/redundancy.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/redundancy/by_content.hpp"
#include "mcr/redundancy/by_number.hpp"
#include "mcr/redundancy/leg.hpp"
#include "mcr/redundancy/merge_counts.hpp"
#include "mcr/redundancy/sequencer.hpp"

namespace mcr::redundancy {

/// Made by control at a reload; judge() is for the worker of the lane; counters are for all.
class Legs {
 public:
  /// `merge`: nothing, where one leg is on air. Throws OsError.
  explicit Legs(const std::optional<Merge>& merge);

  /// A datagram that the leg brought. Nothing: it goes on.
  [[nodiscard]] std::optional<InputDrop> judge(std::size_t leg, std::span<const std::byte> datagram,
                                               std::uint64_t now_ns) noexcept;

  /// Null: order is not "sequence", and nothing waits. Its worker asks it after judge()
  /// has let a datagram go on, which stands at place().
  [[nodiscard]] Sequencer* sequencer() noexcept { return sequencer_ ? &*sequencer_ : nullptr; }
  [[nodiscard]] const Place& place() const noexcept { return by_number_->last(); }
  /// Its worker will come back for what waits: until then these legs may not be freed.
  void set_expected(bool expected) noexcept {
    expected_.store(expected, std::memory_order_release);
  }
  [[nodiscard]] bool expected() const noexcept { return expected_.load(std::memory_order_acquire); }

  /// Control: another `window` or `pace`.
  void set_waiting(const Merge& merge) noexcept;
  /// Control, or its lookout: this leg goes on, from the worker's next datagram on.
  void put_on_air(std::size_t leg) noexcept { on_air_.store(leg, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t on_air() const noexcept {
    return on_air_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] const Leg& leg(std::size_t leg) const noexcept { return shared_->legs[leg]; }
  [[nodiscard]] const MergeCounts& counts() const noexcept { return shared_->counts; }

 private:
  struct Shared {
    std::array<Leg, limits::legs> legs;
    MergeCounts counts;
  };

  [[nodiscard]] std::optional<InputDrop> decide(std::size_t leg,
                                                std::span<const std::byte> datagram,
                                                std::uint64_t now_ns) noexcept;

  Mapping<Shared> shared_{1};
  std::optional<ByNumber> by_number_;
  std::optional<ByContent> by_content_;
  std::optional<Sequencer> sequencer_;
  std::atomic<bool> expected_{false};
  std::atomic<std::size_t> on_air_{0};
};

}  // namespace mcr::redundancy
