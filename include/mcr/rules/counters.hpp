// A worker's counters: one writer, any reader, no lock.
// Indexed by slot; slots are handed out by control (slot_allocator.hpp) and outlive a table.
//
// Which memory order each counter needs (base/counter.hpp). A reader that shows values needs no
// order: all is relaxed. A reader that clears a slot for its next owner must know that the writer
// will write there no more:
//   rule, rx     the writer writes only while it holds a table that names the slot; RcuPointer's
//                grace period orders that (base/rcu.hpp).
//   output       sends may end long after that. The writer's last write for a datagram that was
//                dropped is in_flight, for one that was sent zerocopy or copied. These three are
//                released (add_last, subtract_last) and acquired (get_last), so that at_rest() sees
//                everything that was written before. Everything else stays relaxed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "mcr/base/counter.hpp"
#include "mcr/base/last_source.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/rules/latency.hpp"

namespace mcr {

template <typename Reason, std::size_t N>
class DropCounters {
 public:
  Counter& operator[](Reason reason) noexcept { return values_[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] const std::array<Counter, N>& values() const noexcept { return values_; }
  void clear() noexcept {
    for (auto& value : values_)
      value.set(0);
  }

 private:
  std::array<Counter, N> values_;
};

using InputDrops = DropCounters<InputDrop, input_drop_names.size()>;
using OutputDrops = DropCounters<OutputDrop, output_drop_names.size()>;

/// One rule's. Datagrams; bytes are UDP payload.
struct RuleCounters {
  Counter rx_datagrams;
  Counter rx_bytes;
  Counter last_seen_ns;  ///< CLOCK_MONOTONIC at the batch of its last datagram; 0: none yet
  LastSource last_source;
  InputDrops drops;
};

/// One output's. matched = tx_datagrams + sum(drops) + in_flight.
struct alignas(64) OutputCounters {
  Counter matched;
  Counter in_flight;  ///< given to the egress, and neither sent nor dropped yet
  Counter tx_datagrams;
  Counter tx_bytes;
  Counter zerocopy;  ///< of tx_datagrams, those the kernel took from our memory
  Counter copied;
  OutputDrops drops;
  Counter refused;       ///< of the drops, those with a code in last_refusal
  Counter last_refusal;  ///< RefusalCode (send_refusal.hpp); 0: none yet
};

/// True if nothing of this output can be counted any more: no send waits for its result, and no
/// zero-copy send for its notification.
[[nodiscard]] bool at_rest(const OutputCounters& counters) noexcept;

/// Back to zero, for the slot's next owner. Only while no worker uses the slot.
void clear(RuleCounters& counters) noexcept;
void clear(OutputCounters& counters) noexcept;

/// One rx slot's.
struct RxCounters {
  Counter rx_frames;
  Counter rx_datagrams;
  Counter lost_frames;  ///< of which a receive ring has the beginning, and nobody the rest
};

/// The worker's own. rx_datagrams = matched + unmatched + sum(drops).
struct alignas(64) WorkerCounters {
  Counter batches;
  Counter rx_datagrams;
  Counter matched;
  Counter unmatched;
  Counter tx_datagrams;
  Counter refused;  ///< as OutputCounters::refused
  InputDrops drops;
  OutputDrops tx_drops;
};

/// How many slots there are: twice the configuration's maxima, since during a reload the counters
/// and sockets of the old rules live beside those of the new.
namespace slots {
inline constexpr std::size_t rules = 2 * limits::rules;
inline constexpr std::size_t outputs = 2 * limits::outputs;
inline constexpr std::size_t rx = 2 * limits::input_kinds;
inline constexpr std::size_t senders = 256;  ///< whose ports have tx slots of their own
inline constexpr std::size_t tx = 2 * limits::output_kinds + senders;
}  // namespace slots

/// All of one worker's counters. Large and mostly untouched: keep it in a Mapping.
struct CounterBlock {
  WorkerCounters worker;
  std::array<RxCounters, slots::rx> rx;
  std::array<RuleCounters, slots::rules> rules;
  std::array<OutputCounters, slots::outputs> outputs;
  std::array<LatencyCounters, slots::rules> latencies;
};

}  // namespace mcr
