// Forged answers of the kernel: a worker's sides, Rx and Tx, on a ring that is never handed over.
// Its requests are looked at, and answered by hand.
#pragma once

#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/rules/compiler.hpp"

namespace mcr::test {

inline constexpr std::uint32_t size = 1400;  // of a datagram, bytes

inline Interface link(std::string name, unsigned index) {
  Interface interface;
  interface.name = std::move(name);
  interface.index = index;
  interface.up = true;
  interface.mtu = 1500;
  interface.type = ARPHRD_ETHER;
  interface.addresses = {*IpAddress::parse("10.1.0.1")};
  return interface;
}

/// One rule from 239.1.1.1:5000 to 239.2.1.1:6000.
struct OneRule {
  bool segments = true;   ///< the output's interface takes several datagrams as one message
  bool preserve = false;  ///< the sender's address and port
  SlotAllocators allocators{};

  RuleTable compile(std::uint64_t generation = 1, std::span<const TxKey> senders = {});
};

inline RuleTable OneRule::compile(std::uint64_t generation, std::span<const TxKey> senders) {
  Rule rule;
  rule.name = "one";
  rule.inputs = {{"in", *IpAddress::parse("239.1.1.1"), 5000, {}}};
  rule.outputs = {{"out", *IpAddress::parse("239.2.1.1"), 6000, Ttl::of(16)}};
  if (preserve) rule.outputs.front().source.mode = Source::Mode::preserve;
  std::vector<Rule> rules = {rule};
  auto out = link("out", 3);
  out.segments = segments;
  const Interfaces interfaces({link("in", 2), out});
  const auto standing = rule_status(rule, interfaces, [](const Input&) { return Reason(); });
  return compile_table(rules, interfaces, {standing}, allocators, generation, 0, senders);
}

/// A ring whose requests are looked at, and never handed over.
struct Queue {
  unsigned entries = 2 * Tx::messages;  ///< more than most stories need; a power of two

  Ring ring{entries, 2 * entries};
  unsigned seen = 0;

  struct Request {
    int opcode;
    Token token;
  };
  /// Those since the last call.
  std::vector<Request> requests() {
    std::vector<Request> result;
    const auto& queue = ring.raw().sq;
    for (; seen != queue.sqe_tail; ++seen) {
      const auto& entry = queue.sqes[seen % entries];
      result.push_back({entry.opcode, std::bit_cast<Token>(std::uint64_t{entry.user_data})});
    }
    return result;
  }
  /// As if the kernel had taken them.
  void take() {
    auto& queue = ring.raw().sq;
    *queue.khead = *queue.ktail = queue.sqe_head = queue.sqe_tail;
  }
  /// As if it were new: nothing is queued and no buffers are registered.
  void reset() {
    auto& raw = ring.raw();
    *raw.sq.khead = *raw.sq.ktail = raw.sq.sqe_head = raw.sq.sqe_tail = seen = 0;
    io_uring_unregister_buffers(&raw);
    io_uring_unregister_buf_ring(&raw, Buffers::group);
  }
};

/// One of each size for all stories: the kernel charges each ring to RLIMIT_MEMLOCK, and gives that
/// back only some time after it was closed. Null where io_uring may not be used, or only a smaller
/// ring.
inline Queue* queue_or_skip(unsigned entries = 2 * Tx::messages) {
  static std::map<unsigned, std::unique_ptr<Queue>> queues;
  auto& queue = queues[entries];
  try {
    if (!queue) queue.reset(new Queue{.entries = entries});
  } catch (const Failure& failure) {
    WARN("not tested here: " << failure.what());
    return nullptr;
  }
  if (queue->ring.raw().sq.ring_entries < entries) {
    WARN("not tested here: too little locked memory (ulimit -l) for a ring of full size");
    return nullptr;
  }
  queue->reset();
  return queue.get();
}

inline io_uring_cqe completion(Token token, int result, std::uint32_t flags = 0) {
  io_uring_cqe answer{};
  answer.user_data = token.bits();
  answer.res = result;
  answer.flags = flags;
  return answer;
}

struct Sender {
  Queue& queue;
  WorkerSockets& sockets;
  Mapping<CounterBlock> counters{1};
  Buffers buffers{queue.ring};
  const std::uint32_t all_buffers = buffers.available();
  Tx tx{queue.ring, buffers, sockets, *counters, Tx::Mode::bulk};
  OneRule rule{};
  RuleTable table = rule.compile();
  TableOutput output = only_output();
  std::uint16_t source_port = 4000;
  std::vector<int> opcodes{};  ///< of all sends

  [[nodiscard]] TableOutput only_output() const {
    return table.outputs(table.lookup(0, {*IpAddress::parse("239.1.1.1"), 5000}).front()).front();
  }
  /// A new table of the same rule.
  void reload(std::span<const TxKey> senders = {}) {
    table = rule.compile(table.generation() + 1, senders);
    output = only_output();
    tx.use_table(table);
  }

  [[nodiscard]] OutputCounters& counted() const { return counters->outputs[output.slot]; }
  [[nodiscard]] std::uint64_t dropped(OutputDrop reason) const {
    return counted().drops.values()[static_cast<std::size_t>(reason)].get();
  }

  /// A frame of so many datagrams is received, and to be sent. Its buffer must not be in use.
  Tx::Added add(std::uint32_t datagrams, std::uint32_t segment = size, std::uint16_t buffer = 0) {
    Packet packet;
    packet.payload = {buffers.at(buffer), std::size_t{datagrams} * segment};
    packet.source = {*IpAddress::parse("10.0.0.5"), source_port};
    packet.segment = segment;
    packet.datagrams = datagrams;
    buffers.received(buffer);
    // A worker does this when it has no way to hand anything over.
    const auto added = tx.add(output, packet, buffer);
    if (added.datagrams != datagrams)
      tx.drop(output, added.lack, packet.part(added.datagrams, datagrams - added.datagrams));
    buffers.release(buffer);
    return added;
  }

  /// One send answered; the notification of a zero-copy one comes last, unless it was refused
  /// without.
  void answer(const Queue::Request& request, int result, bool notified, std::uint32_t usage = 0) {
    notified = notified && request.opcode == IORING_OP_SENDMSG_ZC;
    tx.complete(request.token,
                completion(request.token, result, notified ? IORING_CQE_F_MORE : 0U));
    if (!notified) return;
    tx.complete(request.token,
                completion(request.token, static_cast<int>(usage), IORING_CQE_F_NOTIF));
  }

  /// The requests for what waits now, each answered by success; their tx slots.
  std::vector<std::uint16_t> send_once() {
    std::vector<std::uint16_t> slots;
    tx.flush();
    const auto requests = queue.requests();
    queue.take();
    for (const auto& request : requests) {
      slots.push_back(request.token.slot);
      answer(request, int{size}, true);
    }
    return slots;
  }

  /// Sends what is there; the first sends are answered by `results`, those after by success.
  void exchange(std::vector<int> results, bool refusals_notify = false) {
    std::size_t answered = 0;
    for (int round = 0; round < 100 && tx.busy(); ++round) {
      tx.flush();
      const auto requests = queue.requests();
      queue.take();
      for (const auto& request : requests) {
        opcodes.push_back(request.opcode);
        const int result = answered < results.size() ? results[answered++] : int{size};
        answer(request, result, result >= 0 || refusals_notify);
      }
    }
  }

  void balances() const {
    const auto& counters_now = counted();
    std::uint64_t drops = 0;
    for (const auto& each : counters_now.drops.values())
      drops += each.get();
    CHECK(counters_now.matched.get() == counters_now.tx_datagrams.get() + drops);
    CHECK(counters_now.zerocopy.get() + counters_now.copied.get() ==
          counters_now.tx_datagrams.get());
    CHECK(counters_now.in_flight.get() == 0);
    CHECK_FALSE(tx.busy());
    CHECK(buffers.available() == all_buffers);
    CHECK(sockets.tx[output.tx_slot].unresolved.load() == 0);
  }
};

/// A sender whose socket takes everything.
template <typename Story>
void with_sender(Story&& story, OneRule rule = {}, unsigned entries = 2 * Tx::messages) {
  const auto queue = queue_or_skip(entries);
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  for (auto& port : sockets->tx)
    port.send_buffer.store(1U << 30U);
  Sender sender{.queue = *queue, .sockets = *sockets, .rule = std::move(rule)};
  sender.tx.use_table(sender.table);
  story(sender);
  sender.balances();
}

}  // namespace mcr::test
