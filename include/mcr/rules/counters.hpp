// A worker's counters: one writer, any reader, no lock.
// Indexed by slot; slots are handed out by control (slot_allocator.hpp) and outlive a table.
//
// Which memory order each counter needs. Its writer is the only one, so it adds by a load and a
// store. A reader that shows values needs no order: all is relaxed. A reader that clears a slot for
// its next owner must know that the writer will write there no more:
//   rule, rx     the writer writes only while it holds a table that names the slot; RcuPointer's
//                grace period orders that (base/rcu.hpp).
//   output       sends may end long after that. The writer's last write for a datagram that was
//                dropped is in_flight, for one that was sent zerocopy or copied. These three are
//                released (add_last, subtract_last) and acquired (get_last), so that at_rest() sees
//                everything that was written before. Everything else stays relaxed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mcr/base/address.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/packet/drop_reason.hpp"

namespace mcr {

/// A 64-bit counter that one thread adds to and others read. Which order is needed: see above.
class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  /// Who sees this by get_last() sees everything that was written before.
  void add_last(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
  void subtract_last(std::uint64_t n) noexcept { add_last(0 - n); }
  [[nodiscard]] std::uint64_t get_last() const noexcept {
    return value_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

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

/// Where a datagram came from, told by one thread to others. IPv4 is one word; IPv6 are three, not
/// written at once: of two sources that send at the same time a reader may see parts of both. It
/// is a hint for people, nothing is decided by it.
class LastSource {
 public:
  void set(const Endpoint& source) noexcept {
    if (source.address.is_v4())
      return word_.set(std::uint64_t{source.address.to_v4()} << 16U | source.port);
    set_v6(source);
  }
  [[nodiscard]] Endpoint get() const noexcept;
  void clear() noexcept { word_.set(0); }

 private:
  void set_v6(const Endpoint& source) noexcept;

  static constexpr std::uint64_t six = 1ULL << 48U;
  Counter word_;  ///< IPv4 address in host order << 16 | port; or `six` | port
  std::array<Counter, 2> v6_;
};

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
};

/// The worker's own. rx_datagrams = matched + unmatched + sum(drops).
struct alignas(64) WorkerCounters {
  Counter batches;
  Counter rx_datagrams;
  Counter matched;
  Counter unmatched;
  Counter tx_datagrams;
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
};

}  // namespace mcr
