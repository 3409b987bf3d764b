// One worker: a thread, a ring, its sockets, its buffers, its counters. The packet loop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/base/rcu.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/dataplane/capture.hpp"
#include "mcr/dataplane/held.hpp"
#include "mcr/dataplane/ring.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/dataplane/waiting_room.hpp"
#include "mcr/dataplane/worker_sockets.hpp"
#include "mcr/packet/rate_limiter.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/loop_guard.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

class Worker {
 public:
  /// A ring as a worker needs it. Throws as Ring does. Locked memory is short on some hosts, and a
  /// worker registers large buffers: make the rings of all workers before the first worker.
  [[nodiscard]] static std::unique_ptr<Ring> make_ring();

  /// Allocates everything; starts nothing. `cpu`: where to pin the thread, if anywhere.
  /// Throws Failure (unavailable) without io_uring, OsError.
  /// `limiters`: by output slot. They and `loop_guard` are shared by all workers and outlive them.
  Worker(RcuPointer<RuleTable>& rules, Mapping<RateLimiter>& limiters, LoopGuard& loop_guard,
         unsigned id, std::optional<unsigned> cpu, Tx::Mode mode,
         std::unique_ptr<Ring> ring = make_ring());
  /// Stops, if that has not been done.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // For the control thread.
  /// Returns when the thread has taken over its ring. Throws OsError.
  void start();
  /// Makes the worker look at the rule table, also when it sleeps.
  void wake() noexcept;
  /// How long to wait for a fuller batch; 0: not at all.
  void set_batch_wait(std::chrono::microseconds wait) noexcept {
    batch_wait_us_.store(static_cast<std::uint32_t>(wait.count()), std::memory_order_relaxed);
  }
  /// True: without a frame it does not sleep, but asks again at once.
  void set_poll(bool poll) noexcept { polls_.store(poll, std::memory_order_relaxed); }
  /// Works for these captures from the next round on. Throws std::bad_alloc.
  void capture_for(const Captures& captures);
  /// Frees captures that have ended and are not in use any more; true if none is left to free.
  bool reclaim_captures() { return captures_.reclaim(); }
  /// While it is true nothing is sent, and everything else goes on.
  void set_standby(bool standby) noexcept {
    standby_wanted_.store(standby, std::memory_order_relaxed);
  }
  /// Begins a stop without waiting for it, so that several workers stop at once.
  void request_stop() noexcept;
  /// Receives nothing more, sends what it holds (for at most half a second), ends the thread.
  void stop() noexcept;

  [[nodiscard]] unsigned id() const noexcept { return id_; }
  [[nodiscard]] std::optional<unsigned> cpu() const noexcept { return cpu_; }
  /// Its thread's number; 0: not started.
  [[nodiscard]] pid_t thread() const noexcept { return thread_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] CounterBlock& counters() noexcept { return *counters_; }
  [[nodiscard]] const CounterBlock& counters() const noexcept { return *counters_; }
  [[nodiscard]] WorkerSockets& sockets() noexcept { return sockets_; }
  /// How often the loop has gone round; a wake() makes it go round once more.
  [[nodiscard]] std::uint64_t rounds() const noexcept {
    return rounds_.load(std::memory_order_relaxed);
  }

 private:
  friend struct WorkerRound;  // drives a round by hand, in bench/dataplane.cpp

  void run(std::promise<void> ready) noexcept;
  void loop() noexcept;
  void exchange() noexcept;
  void leave_blocks() noexcept;
  void fill_batch() noexcept;
  void use_table(const RuleTable& table) noexcept;
  void reap() noexcept;
  void forward_batch(const RuleTable& table) noexcept;
  void forward(const Frame& frame, const RuleTable& table) noexcept;
  bool receive(const Frame& frame, Packet& packet) noexcept;
  void dispatch(const Frame& frame, const Packet& packet, const RuleTable& table) noexcept;
  [[nodiscard]] Arrival arrival_of(const TableEntry& entry, const Frame& frame,
                                   const Packet& packet, bool own,
                                   const RuleTable& table) const noexcept;
  std::uint32_t deliver_guarded(const TableEntry& entry, const Frame& frame, const Packet& packet,
                                bool own, const RuleTable& table) noexcept;
  void capture_dropped(const TableEntry& entry, const Frame& frame, const Packet& packet,
                       InputDrop reason) noexcept;
  void look_for_captures() noexcept;
  void keep_in_past(const TableEntry& entry, const Frame& frame, const Packet& packet,
                    const RuleTable& table) noexcept;
  std::uint32_t deliver(const TableEntry& entry, const Frame& frame, const Packet& packet,
                        const RuleTable& table) noexcept;
  std::uint32_t deliver_in_part(const TableEntry& entry, const Frame& frame, const Packet& packet,
                                const RuleTable& table) noexcept;
  std::uint32_t deliver_in_order(const TableEntry& entry, const Frame& frame, const Packet& packet,
                                 const RuleTable& table) noexcept;
  std::uint32_t settle(const TableEntry& entry, const Frame& frame, Packet run,
                       std::optional<InputDrop> fate, const RuleTable& table) noexcept;
  void send_all(const TableEntry& entry, const Frame& frame, const Packet& packet,
                const RuleTable& table) noexcept;
  void send_guarded(const TableEntry& entry, const Frame& frame, const Packet& packet,
                    const RuleTable& table) noexcept;
  void send_probed(const TableEntry& entry, const Frame& frame, const Packet& packet,
                   const RuleTable& table) noexcept;
  void hold(const TableEntry& entry, const TableOutput& output, const Frame& frame,
            const Packet& packet, const RuleTable& table) noexcept;
  void send_held(const HeldDatagram& held, const RuleTable& table) noexcept;
  void send_due(const RuleTable& table, std::uint64_t now_ns) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> next_due() const noexcept;
  void begin_inspection(const TableEntry& entry, const RuleTable& table) noexcept;
  void inspect(const TableEntry& entry, const Packet& packet, const RuleTable& table) noexcept;
  void send(const TableOutput& output, const Packet& packet, std::uint16_t buffer) noexcept;
  [[nodiscard]] bool let_pass(const TableOutput& output, const Packet& packet,
                              const RuleTable& table) noexcept;
  void send_within_limit(const TableOutput& output, const Packet& packet, std::uint16_t buffer,
                         const RuleTable& table) noexcept;
  void pass_on(const TableOutput& output, const Packet& packet, std::uint16_t buffer,
               const RuleTable& table) noexcept;
  void send_bulk() noexcept;
  void send_rest(const TableOutput& output, Packet packet, std::uint16_t buffer,
                 Tx::Added added) noexcept;
  // Datagrams that wait for their turn (worker_waiting.cpp).
  [[nodiscard]] bool wait_for_turn(const TableEntry& entry, const Packet& datagram,
                                   const RuleTable& table) noexcept;
  void release(const TableEntry& entry, redundancy::Waiting& waiting,
               const RuleTable& table) noexcept;
  void release_due(const RuleTable& table) noexcept;
  void release_all(const RuleTable& table) noexcept;
  void expect(std::uint32_t legs, redundancy::Legs& of) noexcept;
  void find_expected(const RuleTable& table) noexcept;
  void forget(redundancy::Legs& legs) noexcept;

  [[nodiscard]] bool give_way() noexcept;
  void await_wake() noexcept;
  void wind_down() noexcept;

  /// Legs of which something waits, or did lately, and when to look at them.
  struct Expected {
    std::uint64_t due_ns = 0;
    std::uint32_t number = 0;  ///< in the table in use; 0: not there
    redundancy::Legs* legs = nullptr;
  };

  const unsigned id_;
  std::optional<unsigned> cpu_;
  Mapping<CounterBlock> counters_{1};
  WorkerSockets sockets_;
  const std::unique_ptr<Ring> own_ring_;
  Ring& ring_ = *own_ring_;
  Buffers buffers_;
  Rx rx_;
  Tx tx_;
  WaitingRoom waiting_room_;
  std::vector<Expected> expected_;  ///< a heap: the first one is due first
  RcuPointer<RuleTable>::Reader rules_;
  RcuPointer<Captures> captures_{std::make_unique<const Captures>(), 1};
  RcuPointer<Captures>::Reader captures_in_use_{captures_, 0};
  const Captures* capturing_ = nullptr;  ///< in this round; null: there are none
  Mapping<RateLimiter>& limiters_;
  LoopGuard& loop_guard_;
  Held held_;
  std::uint64_t table_in_use_ = ~std::uint64_t{0};  ///< generation
  std::uint32_t turns_ = 0;                         ///< that this round may still give away
  std::uint32_t inspected_ = 0;                     ///< frames
  std::uint64_t now_ns_ = 0;                        ///< CLOCK_MONOTONIC at the start of this batch
  bool wary_ = false;                               ///< of a packet's sender (LoopGuard::Judgement)
  std::uint64_t probe_ns_ = 0;                      ///< a packet is held so long (likewise)
  bool standby_ = false;                            ///< in this batch: nothing is sent
  UniqueFd wake_;
  std::uint64_t wakes_ = 0;
  bool awaits_wake_ = false;  ///< a read of wake_ is with the kernel
  bool woken_ = false;        ///< since use_table(): the next round must not sleep
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<std::uint32_t> batch_wait_us_{0};
  std::atomic<bool> polls_{false};
  std::atomic<bool> standby_wanted_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<pid_t> thread_id_{0};
  std::thread thread_;
};

}  // namespace mcr
