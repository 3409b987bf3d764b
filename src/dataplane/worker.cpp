// The packet loop. Nothing here allocates, locks, throws or makes a system call of its own for a
// datagram: one io_uring_enter(2) hands a batch of sends to the kernel and brings the next frames.
// A round:
//
//   exchange      hand over what waits; sleep if there is nothing else to do, unless it polls
//   reap          completions: frames that came, sends that ended, a wake-up
//   leave_blocks  blocks of receive rings that slow outputs hold go back to the kernel
//   use_table     if it is new, or control has woken this worker
//   fill_batch    where configured, wait once for a fuller batch
//   forward       parse, look up, add to each output's messages
//   send_due      of rules in a circle: what has waited for another relay's copy (worker_held.cpp)
//   release_due   of merged rules: what has waited for its turn long enough (worker_waiting.cpp)
//
// Control talks to the worker by the rule table alone. It publishes a table and wakes the worker; a
// wake-up counts until the worker has used the table, so it never sleeps on one. While the worker
// sleeps it is offline for RcuPointer: nobody waits for it.
#include "mcr/dataplane/worker.hpp"

#include <net/ethernet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <system_error>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"

namespace mcr {

namespace {

constexpr unsigned submissions = 1024;
/// Every message's result and notification, every buffer, and some.
constexpr unsigned completions = 16'384;
static_assert(completions >= 2 * Tx::messages + 2 * Buffers::most);

constexpr std::chrono::milliseconds wind_down_limit{500};
/// Frames that are worth forwarding without waiting for more.
constexpr std::uint32_t full_batch = 64;
/// A round gives away so many turns of the CPU, as long as each helps a full socket.
constexpr std::uint32_t most_turns = 8;

std::uint64_t monotonic_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

bool pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
  if (error != 0) log::warning("cannot pin a worker to CPU {}: {}", cpu, errno_text(error));
  return error == 0;
}

/// The link's address that sent the frame, as a number; 0 where links have none.
std::uint64_t station_of(std::span<const std::byte> frame, std::uint8_t link_header) noexcept {
  std::uint64_t station = 0;
  if (link_header == ETH_HLEN) std::memcpy(&station, frame.data() + ETH_ALEN, ETH_ALEN);
  return station;
}

}  // namespace

/// The kernel is asked for its features while there is still room for a ring to ask with.
std::unique_ptr<Ring> Worker::make_ring() {
  static_cast<void>(zerocopy_features());
  return std::make_unique<Ring>(submissions, completions);
}

Worker::Worker(RcuPointer<RuleTable>& rules, Mapping<RateLimiter>& limiters, LoopGuard& loop_guard,
               unsigned id, std::optional<unsigned> cpu, Tx::Mode mode, std::unique_ptr<Ring> ring)
    : id_(id),
      cpu_(cpu),
      own_ring_(std::move(ring)),
      buffers_(ring_),
      rx_(ring_, buffers_, sockets_, *counters_),
      tx_(ring_, buffers_, sockets_, *counters_, mode),
      waiting_room_(buffers_),
      rules_(rules, id),
      limiters_(limiters),
      loop_guard_(loop_guard),
      wake_(::eventfd(0, EFD_CLOEXEC)) {
  if (!wake_.valid()) throw_errno("create eventfd", "of a worker");
  expected_.reserve(limits::rules);
}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  std::promise<void> ready;
  auto outcome = ready.get_future();
  try {
    thread_ = std::thread([this, &ready] { run(std::move(ready)); });
  } catch (const std::system_error& error) {
    throw OsError(error.code().value(), "start the thread", fmt::format("of worker {}", id_));
  }
  outcome.get();
}

void Worker::wake() noexcept {
  ::eventfd_write(wake_.get(), 1);
  ring_.knock();
}

void Worker::request_stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void Worker::stop() noexcept {
  if (!thread_.joinable()) return;
  request_stop();
  thread_.join();
}

void Worker::run(std::promise<void> ready) noexcept {
  ::pthread_setname_np(::pthread_self(), fmt::format("mcr-worker-{}", id_).c_str());
  if (cpu_ && !pin(*cpu_)) cpu_.reset();
  thread_id_.store(::gettid(), std::memory_order_relaxed);
  try {
    ring_.enable();
    ready.set_value();
  } catch (...) {
    return ready.set_exception(std::current_exception());
  }
  loop();
}

void Worker::loop() noexcept {
  rules_.online();
  captures_in_use_.online();
  while (!stopping_.load(std::memory_order_acquire)) {
    look_for_captures();
    exchange();
    const bool handed_over = ring_.all_submitted();
    reap();
    const RuleTable& table = rules_.current();  // once per batch
    if (handed_over) rx_.leave_blocks();
    if (woken_ || table.generation() != table_in_use_) use_table(table);
    if (batch_wait_us_.load(std::memory_order_relaxed) != 0) fill_batch();
    now_ns_ = monotonic_ns();
    standby_ = standby_wanted_.load(std::memory_order_relaxed);
    turns_ = most_turns;
    forward_batch(table);
    if (!held_.empty()) [[unlikely]]
      send_due(table, now_ns_);
    release_due(table);
    rx_.rearm();
    if (rx_.empty()) rx_.release_idle_sockets();
    rules_.quiescent();
    captures_in_use_.quiescent();
    rounds_.store(rounds() + 1, std::memory_order_relaxed);
  }
  wind_down();
}

/// Hands over what is to be sent; sleeps only when there is nothing else to do, and it may.
void Worker::exchange() noexcept {
  if (!awaits_wake_) await_wake();
  if (tx_.flush() || !rx_.empty() || woken_) return ring_.submit();
  if (rx_.has_rings()) leave_blocks();
  if (polls_.load(std::memory_order_relaxed)) return ring_.submit();
  std::optional<std::chrono::nanoseconds> limit;
  if (const auto due_ns = next_due()) {
    const auto now_ns = monotonic_ns();
    if (*due_ns <= now_ns) return ring_.submit();
    limit = std::chrono::nanoseconds(*due_ns - now_ns);
  }
  rules_.offline();
  captures_in_use_.offline();
  ring_.submit_and_wait(limit);
  rules_.online();
  captures_in_use_.online();
  look_for_captures();
}

/// When something that waits must go on: CLOCK_MONOTONIC, ns.
std::optional<std::uint64_t> Worker::next_due() const noexcept {
  if (held_.empty() && expected_.empty()) return std::nullopt;
  const auto due_ns = held_.next_due();
  return expected_.empty() ? due_ns : std::min(due_ns, expected_.front().due_ns);
}

void Worker::capture_for(const Captures& captures) {
  captures_.publish(std::make_unique<const Captures>(captures));
  wake();
}

void Worker::look_for_captures() noexcept {
  const auto& captures = captures_in_use_.current();
  capturing_ = captures.empty() ? nullptr : &captures;
  tx_.capture_for(capturing_, id_);
}

/// Before sleep: the kernel tells nothing of a ring of which no block is back.
void Worker::leave_blocks() noexcept {
  if (!ring_.all_submitted()) ring_.submit();
  if (ring_.all_submitted()) rx_.leave_blocks();
}

/// A small batch waits for more, once.
void Worker::fill_batch() noexcept {
  if (rx_.empty() || rx_.has(full_batch)) return;
  const std::chrono::microseconds wait(batch_wait_us_.load(std::memory_order_relaxed));
  ring_.submit_and_wait(full_batch - rx_.waiting(), wait);
  reap();
}

void Worker::use_table(const RuleTable& table) noexcept {
  woken_ = false;
  table_in_use_ = table.generation();
  rx_.use_table(table);
  tx_.use_table(table);
  find_expected(table);
}

void Worker::reap() noexcept {
  ring_.reap([this](const io_uring_cqe& completion) {
    const auto token = Token::of(completion);
    switch (token.op) {
      case Op::receive:
      case Op::fetch:
        rx_.complete(token, completion);
        break;
      case Op::send:
      case Op::writable:
        tx_.complete(token, completion);
        break;
      case Op::wake:
        awaits_wake_ = false;
        woken_ = true;
        break;
      case Op::cancel:
        break;
    }
  });
}

/// Forwards what is there, but no more frames than there are receive buffers: then sends and the
/// rule table have their turn.
void Worker::forward_batch(const RuleTable& table) noexcept {
  for (std::uint32_t number = 0; number < buffers_.count(); ++number) {
    const auto frame = rx_.next();
    if (!frame) return;
    if (number == 0) counters_->worker.batches.add(1);
    forward(*frame, table);
  }
}

void Worker::forward(const Frame& frame, const RuleTable& table) noexcept {
  Packet packet;
  if (receive(frame, packet)) dispatch(frame, packet, table);
  buffers_.release(frame.buffer);
}

/// Reads and counts the frame; false: it was dropped.
bool Worker::receive(const Frame& frame, Packet& packet) noexcept {
  auto drop = parse_frame(frame.bytes, frame.vnet, sockets_.rx[frame.slot].link_header, packet);
  if (!frame.whole) drop = InputDrop::truncated;
  const auto datagrams =
      drop ? claimed_datagrams(frame.bytes.size(), frame.vnet) : packet.datagrams;
  counters_->worker.rx_datagrams.add(datagrams);
  counters_->rx[frame.slot].rx_datagrams.add(datagrams);
  if (drop) counters_->worker.drops[*drop].add(datagrams);
  return !drop;
}

/// Gives the packet to every rule that takes it.
void Worker::dispatch(const Frame& frame, const Packet& packet, const RuleTable& table) noexcept {
  auto& counters = counters_->worker;
  const auto entries = table.lookup(frame.slot, packet.destination);
  if (entries.empty()) return counters.unmatched.add(packet.datagrams);

  const bool intact = packet.checksum_trusted || udp_checksum_holds(packet);
  const bool own = table.is_own(packet.source);
  bool taken = false;
  std::uint32_t matched = 0;
  for (const auto& entry : entries) {
    if (!intact || (own && !entry.allow_loop && (entry.circle == 0 || entry.probed))) continue;
    if (!table.allows(entry, packet.source.address)) continue;
    taken = true;
    matched += entry.circle == 0 ? deliver(entry, frame, packet, table)
                                 : deliver_guarded(entry, frame, packet, own, table);
  }
  if (taken) return counters.matched.add(matched);
  const auto reason = !intact ? InputDrop::bad_checksum
                      : own   ? InputDrop::own_source
                              : InputDrop::source_denied;
  counters.drops[reason].add(packet.datagrams);
  for (const auto& entry : entries) {
    counters_->rules[entry.rule].drops[reason].add(packet.datagrams);
    capture_dropped(entry, frame, packet, reason);
  }
}

void Worker::capture_dropped(const TableEntry& entry, const Frame& frame, const Packet& packet,
                             InputDrop reason) noexcept {
  if (capturing_ == nullptr) return;
  for (const auto& capture : *capturing_)
    capture->dropped(id_, entry.rule, frame, packet, reason);
}

/// Not while a capture reads it, which keeps what comes from there on.
void Worker::keep_in_past(const TableEntry& entry, const Frame& frame, const Packet& packet,
                          const RuleTable& table) noexcept {
  if (capturing_ != nullptr)
    for (const auto& capture : *capturing_)
      if (capture->reads_past(entry.rule)) return;
  keep_in(table.past(entry).ring(id_), entry.rule, frame, packet);
}

/// Delivers the datagrams that the rule has not relayed already, each run of them as one packet,
/// and returns how many go on.
std::uint32_t Worker::deliver_guarded(const TableEntry& entry, const Frame& frame,
                                      const Packet& packet, bool own,
                                      const RuleTable& table) noexcept {
  const auto judgement =
      loop_guard_.judge(arrival_of(entry, frame, packet, own, table), packet, now_ns_);
  const auto& stopped = judgement.stopped;
  wary_ = judgement.wary;
  const auto alone = [&](std::uint32_t n) { return entry.filtered || judgement.holds(n); };
  const auto reason = own ? InputDrop::own_source : InputDrop::loop;
  std::uint32_t passed = 0;
  for (std::uint32_t n = 0; n < packet.datagrams;) {
    if (stopped[n]) {
      capture_dropped(entry, frame, packet.part(n++, 1), reason);
      continue;
    }
    std::uint32_t next = n;
    do
      ++next;
    while (next < packet.datagrams && !stopped[next] && !alone(n) && !alone(next));
    probe_ns_ = judgement.holds(n) ? judgement.hold_ns : 0;
    passed += deliver(entry, frame, packet.part(n, next - n), table);
    n = next;
  }
  if (const auto echoes = stopped.count(); echoes != 0) {
    counters_->worker.drops[reason].add(echoes);
    counters_->rules[entry.rule].drops[reason].add(echoes);
  }
  return passed;
}

Arrival Worker::arrival_of(const TableEntry& entry, const Frame& frame, const Packet& packet,
                           bool own, const RuleTable& table) const noexcept {
  return {.circle = entry.circle,
          .rule = entry.rule,
          .interface = entry.interface,
          .rx_slot = frame.slot,
          .station = station_of(frame.bytes, sockets_.rx[frame.slot].link_header),
          .own = own,
          .surely_own = own && !entry.allow_loop && table.is_reserved(packet.source.port),
          .listens = entry.outputs == 0,
          .preserves = entry.preserves,
          .probed = entry.probed};
}

/// Returns how many datagrams go on; the others are counted as drops. Of the rules that share a
/// destination only one takes a source.
std::uint32_t Worker::deliver(const TableEntry& entry, const Frame& frame, const Packet& packet,
                              const RuleTable& table) noexcept {
  auto& counters = counters_->rules[entry.rule];
  counters.rx_datagrams.add(packet.datagrams);
  counters.rx_bytes.add(packet.payload.size());
  counters.last_seen_ns.set(now_ns_);
  counters.last_source.set(packet.source);
  if (entry.inspection != 0) begin_inspection(entry, table);
  if (entry.past != 0) [[unlikely]]
    keep_in_past(entry, frame, packet, table);
  if (capturing_ != nullptr) [[unlikely]]
    for (const auto& capture : *capturing_)
      capture->received(id_, entry.rule, frame, packet);
  auto passed = packet.datagrams;
  if (entry.legs != 0 || standby_) [[unlikely]]
    passed = deliver_in_part(entry, frame, packet, table);
  else
    send_all(entry, frame, packet, table);
  if (entry.inspection != 0) inspect(entry, packet, table);
  return passed;
}

/// The datagrams of a superframe that go on do so in runs, whole where all of them do.
std::uint32_t Worker::deliver_in_part(const TableEntry& entry, const Frame& frame,
                                      const Packet& packet, const RuleTable& table) noexcept {
  if (entry.legs != 0 && table.legs(entry).sequencer() != nullptr)
    return deliver_in_order(entry, frame, packet, table);
  std::uint32_t passed = 0;
  Packet run = packet;
  run.datagrams = 0;
  std::optional<InputDrop> fate;
  auto* legs = entry.legs == 0 ? nullptr : &table.legs(entry);
  auto rest = packet.payload;
  for (std::uint32_t i = 0; i < packet.datagrams; ++i) {
    const auto datagram = rest.first(std::min<std::size_t>(packet.segment, rest.size()));
    std::optional<InputDrop> next;
    if (legs != nullptr) next = legs->judge(entry.leg, datagram, now_ns_);
    if (standby_ && !next) next = InputDrop::standby;
    if (run.datagrams != 0 && next != fate) {
      passed += settle(entry, frame, run, fate, table);
      run.payload = rest;
      run.datagrams = 0;
    }
    fate = next;
    ++run.datagrams;
    rest = rest.subspan(datagram.size());
  }
  return passed + settle(entry, frame, run, fate, table);
}

/// Sends or drops the first datagrams of `run`. Its payload may reach further. Returns how many go
/// on.
std::uint32_t Worker::settle(const TableEntry& entry, const Frame& frame, Packet run,
                             std::optional<InputDrop> fate, const RuleTable& table) noexcept {
  const auto bytes = std::size_t{run.datagrams} * run.segment;
  run.payload = run.payload.first(std::min(bytes, run.payload.size()));
  if (fate) {
    counters_->worker.drops[*fate].add(run.datagrams);
    counters_->rules[entry.rule].drops[*fate].add(run.datagrams);
    capture_dropped(entry, frame, run, *fate);
    return 0;
  }
  send_all(entry, frame, run, table);
  return run.datagrams;
}

void Worker::send_all(const TableEntry& entry, const Frame& frame, const Packet& packet,
                      const RuleTable& table) noexcept {
  if (entry.circle != 0) [[unlikely]]
    send_guarded(entry, frame, packet, table);
  else
    for (const auto& output : table.outputs(entry))
      pass_on(output, packet, frame.buffer, table);
}

/// The memory that inspection needs comes while the frame is sent: of a rule whose turn comes once
/// in a thousand datagrams none of it is in a cache.
void Worker::begin_inspection(const TableEntry& entry, const RuleTable& table) noexcept {
  table.inspectors(entry).fetch(id_);
  if (++inspected_ % latency_sample == 0) [[unlikely]]
    tx_.time(now_ns_, entry.rule);
}

/// After the frame was sent. All of its datagrams have one arrival time.
void Worker::inspect(const TableEntry& entry, const Packet& packet,
                     const RuleTable& table) noexcept {
  table.inspectors(entry).inspect(
      id_, {packet.source, packet.payload, packet.segment, packet.datagrams, now_ns_});
  tx_.time(0);
}

void Worker::pass_on(const TableOutput& output, const Packet& packet, std::uint16_t buffer,
                     const RuleTable& table) noexcept {
  if (output.limit == 0) return send(output, packet, buffer);
  send_within_limit(output, packet, buffer, table);
}

void Worker::send(const TableOutput& output, const Packet& packet, std::uint16_t buffer) noexcept {
  const auto added = tx_.add(output, packet, buffer);
  if (added.datagrams != packet.datagrams) [[unlikely]]
    send_rest(output, packet, buffer, added);
  if (tx_.has_bulk()) send_bulk();
}

/// The packet's first datagrams, as many as the output's limit lets pass; the rest is counted.
void Worker::send_within_limit(const TableOutput& output, const Packet& packet,
                               std::uint16_t buffer, const RuleTable& table) noexcept {
  const auto& limit = table.limit(output);
  const auto passing = limiters_[limit.limiter].admit(limit.rate, packet.datagrams, packet.segment,
                                                      packet.payload.size(), now_ns_);
  if (passing == packet.datagrams) return send(output, packet, buffer);
  tx_.drop(output, OutputDrop::rate_limited, packet.part(passing, packet.datagrams - passing));
  if (passing != 0) send(output, packet.part(0, passing), buffer);
}

/// In the middle of a batch. Frames that arrive meanwhile wait.
void Worker::send_bulk() noexcept {
  if (!tx_.flush()) return;
  ring_.submit();
  reap();
}

/// Messages have run short, or the socket is full: goes on until the rest of the packet is taken
/// too, or nothing more can be sent for now.
void Worker::send_rest(const TableOutput& output, Packet packet, std::uint16_t buffer,
                       Tx::Added added) noexcept {
  while (added.datagrams != packet.datagrams) {
    packet.datagrams -= added.datagrams;
    packet.payload = packet.payload.subspan(std::size_t{added.datagrams} * packet.segment);
    const bool was_blocked = added.blocked;
    if (!(was_blocked ? give_way() : tx_.flush())) return tx_.drop(output, added.lack, packet);
    ring_.submit();
    reap();
    added = tx_.add(output, packet, buffer);
    if (was_blocked && added.blocked) turns_ = 0;  // the egress itself is slow
  }
}

/// A socket may be full only because the kernel's thread that empties it (ksoftirqd) waits for this
/// CPU. So a turn of the CPU is given away before anything is dropped; the frames that come
/// meanwhile wait in their socket.
bool Worker::give_way() noexcept {
  if (turns_ == 0) return false;
  --turns_;
  ::sched_yield();
  return true;
}

void Worker::await_wake() noexcept {
  auto* request = ring_.request();
  if (request == nullptr) return;
  io_uring_prep_read(request, wake_.get(), &wakes_, sizeof wakes_, 0);
  request->user_data = Token{.op = Op::wake}.bits();
  awaits_wake_ = true;
}

void Worker::wind_down() noexcept {
  const auto deadline = std::chrono::steady_clock::now() + wind_down_limit;
  rx_.stop();
  const RuleTable& table = rules_.current();
  look_for_captures();
  find_expected(table);
  const auto busy = [this] { return rx_.busy() || !rx_.empty() || !held_.empty() || tx_.busy(); };
  release_all(table);
  while (busy() && std::chrono::steady_clock::now() < deadline) {
    send_due(table, std::numeric_limits<std::uint64_t>::max());
    tx_.flush();
    ring_.submit_and_wait(1, std::chrono::milliseconds(10));
    reap();
    forward_batch(table);
    release_all(table);
  }
  tx_.abandon();
  rules_.offline();
  captures_in_use_.offline();
}

}  // namespace mcr
