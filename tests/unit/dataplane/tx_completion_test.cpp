// What the kernel may answer to a request of io_uring, forged: a worker's two sides, Rx and
// Tx, on a ring that is never submitted. Each row is one answer and what must come of it; after
// each, the ledger balances and every buffer is back with the kernel.
//
// Not here, and why:
//   a full send buffer, a full queueing discipline   for real, in tests `overload`, `slow_queue`
//   blocks of a receive ring                         no completion tells of a frame; test `ring`
//   the wake-up, a cancellation                      their results are not looked at
//   io_uring_enter refused                           a system call: test `refusals`
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <numeric>

#include "catch.hpp"
#include "mcr/config/config.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/rules/compiler.hpp"

using namespace mcr;

namespace {

constexpr std::uint32_t size = 1400;  // of a datagram, bytes

Interface link(std::string name, unsigned index) {
  Interface interface;
  interface.name = std::move(name);
  interface.index = index;
  interface.up = true;
  interface.mtu = 1500;
  interface.type = ARPHRD_ETHER;
  interface.addresses = {*IpAddress::parse("10.1.0.1")};
  return interface;
}

RuleTable one_rule(bool segments = true) {
  Rule rule;
  rule.name = "one";
  rule.inputs = {{"in", *IpAddress::parse("239.1.1.1"), 5000, {}}};
  rule.outputs = {{"out", *IpAddress::parse("239.2.1.1"), 6000, Ttl::of(16)}};
  Config config;
  config.rules = {rule};
  auto out = link("out", 3);
  out.segments = segments;
  const Interfaces interfaces({link("in", 2), out});
  const auto standing = rule_status(rule, interfaces, [](const Input&) { return std::string(); });
  SlotAllocators allocators;
  return compile_table(config, interfaces, {standing}, allocators, 1);
}

/// A ring whose requests are looked at, and never handed over.
struct Queue {
  static constexpr unsigned entries = 2 * Tx::messages;  ///< more than any story needs

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
};

/// Null where io_uring may not be used.
std::unique_ptr<Queue> queue_or_skip() {
  try {
    return std::make_unique<Queue>();
  } catch (const Failure& failure) {
    WARN("not tested here: " << failure.what());
    return nullptr;
  }
}

io_uring_cqe completion(Token token, int result, std::uint32_t flags = 0) {
  io_uring_cqe answer{};
  answer.user_data = token.bits();
  answer.res = result;
  answer.flags = flags;
  return answer;
}

// ---- Sending

struct Sender {
  Queue& queue;
  WorkerSockets& sockets;
  Mapping<CounterBlock> counters{1};
  Buffers buffers{queue.ring};
  const std::uint32_t all_buffers = buffers.available();
  Tx tx{queue.ring, buffers, sockets, *counters, Tx::Mode::bulk};
  RuleTable table = one_rule();
  const TableOutput& output =
      table.outputs(table.lookup(0, {*IpAddress::parse("239.1.1.1"), 5000}).front()).front();
  std::vector<int> opcodes{};  ///< of all sends

  [[nodiscard]] OutputCounters& counted() const { return counters->outputs[output.slot]; }
  [[nodiscard]] std::uint64_t dropped(OutputDrop reason) const {
    return counted().drops.values()[static_cast<std::size_t>(reason)].get();
  }

  /// A frame of so many datagrams is received, and to be sent.
  void add(std::uint32_t datagrams, std::uint32_t segment = size, std::uint16_t buffer = 0) {
    Packet packet;
    packet.payload = {buffers.at(buffer), std::size_t{datagrams} * segment};
    packet.segment = segment;
    packet.datagrams = datagrams;
    buffers.received(buffer);
    tx.add(output, packet, buffer);
    buffers.release(buffer);
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

  /// Sends what is there; the first sends are answered by `results`, those after by success.
  void exchange(std::vector<int> results, bool refusals_notify = false) {
    std::size_t answered = 0;
    for (int round = 0; round < 100 && tx.busy(); ++round) {
      tx.flush();
      for (const auto& request : queue.requests()) {
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

/// A sender whose socket takes everything; `segments`: also several datagrams as one message.
template <typename Story>
void with_sender(Story&& story, bool segments = true) {
  const auto queue = queue_or_skip();
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  for (auto& port : sockets->tx)
    port.send_buffer.store(1U << 20U);
  Sender sender{.queue = *queue, .sockets = *sockets, .table = one_rule(segments)};
  story(sender);
  sender.balances();
}

struct SendRow {
  std::vector<int> results;  ///< of the first sends
  std::optional<OutputDrop> dropped;
  std::size_t sends = 1;  ///< in all
};

void check_sends(const std::vector<SendRow>& rows, std::uint32_t datagrams) {
  for (const bool notified : {false, true})
    for (const auto& row : rows) {
      INFO("answers " << Catch::StringMaker<std::vector<int>>::convert(row.results)
                      << (notified ? ", refusals with a notification" : ""));
      with_sender([&](Sender& sender) {
        sender.add(datagrams);
        sender.exchange(row.results, notified);
        CHECK(sender.opcodes.size() == row.sends);
        CHECK(sender.counted().tx_datagrams.get() == (row.dropped ? 0 : datagrams));
        if (row.dropped) CHECK(sender.dropped(*row.dropped) == datagrams);
      });
    }
}

}  // namespace

TEST_CASE("a send of one datagram, by what the kernel answers") {
  using enum OutputDrop;
  check_sends(
      {
          {{int{size}}, {}},
          {{700}, {}},  // short: UDP takes a datagram whole or not at all
          {{-EAGAIN}, {}, 2},
          {{-EAGAIN, -EAGAIN, -EAGAIN}, {}, 4},
          {{-EOPNOTSUPP}, {}, 2},  // of zero-copy
          {{-EOPNOTSUPP, -EOPNOTSUPP}, send_error, 2},
          {{-ENOMEM}, {}, 2},  // to pin, perhaps
          {{-ENOMEM, -ENOMEM}, no_memory, 2},
          {{-ENOBUFS}, egress_full},
          // The answer to an earlier datagram, told by failing the next send; or to this one.
          {{-ECONNREFUSED}, {}, 2},
          {{-ECONNREFUSED, -ECONNREFUSED}, send_error, 2},
          {{-EHOSTUNREACH, -EHOSTUNREACH}, send_error, 2},
          {{-EACCES, -EACCES}, send_error, 2},
          {{-ENETUNREACH}, {}, 2},
          {{-ENETUNREACH, -ENETUNREACH}, output_down, 2},
          {{-EMSGSIZE, -EMSGSIZE}, too_big, 2},
          {{-ENETDOWN}, output_down},
          {{-ENODEV}, output_down},
          {{-ENXIO}, output_down},
          {{-EADDRNOTAVAIL}, output_down},
          {{-EINVAL}, output_down},  // as IP_PKTINFO says of an interface that is gone
          {{-EPERM}, send_error},    // a firewall
          {{-EIO}, send_error},
          {{-EBADF}, send_error},
          {{-ECANCELED}, send_error},
          {{-EAGAIN, -ENOMEM, -ENETDOWN}, output_down, 3},
      },
      1);
}

TEST_CASE("a segmented send, by what the kernel answers") {
  using enum OutputDrop;
  const std::vector<int> each_refused(10, -EIO);
  std::vector<int> all_refused{-EIO};
  all_refused.insert(all_refused.end(), each_refused.begin(), each_refused.end());
  check_sends(
      {
          {{int{10 * size}}, {}},
          {{-EMSGSIZE}, {}, 11},  // the path takes none of this size: each on its own
          {{-EINVAL}, {}, 11},
          {{-EIO}, {}, 11},  // the interface cannot checksum
          {all_refused, send_error, 11},
          {{-ENOBUFS}, egress_full},
          {{-ENOMEM, -ENOMEM}, no_memory, 2},
          {{-ENETDOWN}, output_down},
          {{-EPERM}, send_error},
      },
      10);
}

TEST_CASE("what may be refused is tried with nothing behind it") {
  for (const int refusal : {-EMSGSIZE, -EIO, -ENOMEM, -EOPNOTSUPP})
    for (const std::uint32_t datagrams : {1U, 10U}) {
      if (datagrams == 1 && (refusal == -EMSGSIZE || refusal == -EIO)) continue;
      INFO("refusal " << refusal << " of a message of " << datagrams);
      with_sender([&](Sender& sender) {
        sender.add(datagrams);
        sender.add(1, size + 1, 1);  // another message
        sender.exchange({refusal});
        CHECK(sender.counted().tx_datagrams.get() == datagrams + 1);
      });
    }
}

TEST_CASE("what has been taken, or refused for other reasons, is sent with more behind it") {
  for (const int result : {int{size}, -EPERM, -ENOBUFS, -ENETDOWN})
    with_sender([=](Sender& sender) {
      sender.add(10);
      sender.exchange({result});
      sender.add(10);
      sender.add(1, size + 1, 1);
      sender.tx.flush();
      const auto requests = sender.queue.requests();
      CHECK(requests.size() == 2);
      for (const auto& request : requests)
        sender.answer(request, int{size}, true);
    });
}

TEST_CASE("messages that wait for their notifications leave some to the others") {
  const auto each_alone = [](Sender& sender) {
    std::vector<Token> unsettled;
    for (std::uint16_t buffer = 0; buffer < 300; ++buffer) {
      sender.add(16, size, buffer);
      while (sender.tx.flush())
        for (const auto& [opcode, token] : sender.queue.requests()) {
          const bool zerocopy = opcode == IORING_OP_SENDMSG_ZC;
          if (zerocopy) unsettled.push_back(token);
          sender.tx.complete(token,
                             completion(token, int{size}, zerocopy ? IORING_CQE_F_MORE : 0U));
        }
    }
    CHECK(unsettled.size() > 1000);
    CHECK(sender.counted().tx_datagrams.get() == 300 * 16);
    for (const auto& token : unsettled)
      sender.tx.complete(token, completion(token, 0, IORING_CQE_F_NOTIF));
  };
  with_sender(each_alone, false);
}

TEST_CASE("where the kernel has no zero-copy, nothing is asked to go without a copy again") {
  with_sender([](Sender& sender) {
    sender.add(1);
    sender.exchange({-EOPNOTSUPP});
    sender.add(1);
    sender.exchange({});
    CHECK(sender.opcodes ==
          std::vector<int>{IORING_OP_SENDMSG_ZC, IORING_OP_SENDMSG, IORING_OP_SENDMSG});
    CHECK(sender.counted().copied.get() == 2);
  });
}

TEST_CASE("without memory to pin, zero-copy is tried again later") {
  with_sender([](Sender& sender) {
    sender.add(1);
    sender.exchange({-ENOMEM});
    sender.opcodes.clear();
    std::uint32_t copies = 0;
    for (; copies < 1500 && sender.counted().zerocopy.get() == 0; ++copies) {
      sender.add(1);
      sender.exchange({});
    }
    CHECK(sender.opcodes.back() == IORING_OP_SENDMSG_ZC);
    CHECK(copies > 500);
    // And later still, if that was not the last time.
    sender.add(1);
    sender.exchange({-ENOMEM});
    const auto before = sender.counted().zerocopy.get();
    for (copies = 0; copies < 3000 && sender.counted().zerocopy.get() == before; ++copies) {
      sender.add(1);
      sender.exchange({});
    }
    CHECK(copies > 1500);
    CHECK(sender.counted().zerocopy.get() == before + 1);
  });
}

TEST_CASE("a wait for room that fails is over, too") {
  for (const int result : {POLLOUT, POLLOUT | POLLERR, -ECANCELED, -ENOMEM}) {
    INFO("result " << result);
    with_sender([&](Sender& sender) {
      const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM, 0));
      auto& port = sender.sockets.tx[sender.output.tx_slot];
      port.socket = socket;
      port.send_buffer.store(0);
      sender.add(1);
      sender.tx.flush();
      const auto requests = sender.queue.requests();
      REQUIRE(requests.size() == 1);
      CHECK(requests[0].opcode == IORING_OP_POLL_ADD);
      sender.tx.flush();
      CHECK(sender.queue.requests().empty());
      port.send_buffer.store(1U << 20U);
      sender.tx.complete(requests[0].token, completion(requests[0].token, result));
      sender.exchange({});
      CHECK(sender.counted().tx_datagrams.get() == 1);
    });
  }
}

// ---- Receiving

namespace {

constexpr std::uint32_t in_buffer = IORING_CQE_F_BUFFER | 7U << IORING_CQE_BUFFER_SHIFT;
constexpr std::uint32_t more = IORING_CQE_F_MORE;
constexpr int headers = sizeof(io_uring_recvmsg_out) + sizeof(VnetHeader);

struct Receiver {
  Queue& queue;
  WorkerSockets& sockets;
  Mapping<CounterBlock> counters{1};
  Buffers buffers{queue.ring};
  const std::uint32_t all_buffers = buffers.available();
  Rx rx{queue.ring, buffers, sockets, *counters};
  RuleTable table = one_rule();
  Token token{};

  /// Whether a receive was armed since the last call.
  bool arms() {
    bool armed = false;
    for (const auto& request : queue.requests())
      if (request.opcode == IORING_OP_RECVMSG) {
        armed = true;
        token = request.token;
      }
    return armed;
  }
  void complete(int result, std::uint32_t flags = 0) {
    rx.complete(token, completion(token, result, flags));
  }
  [[nodiscard]] RxSlot& port() const { return sockets.rx[table.rx().front().slot]; }
};

/// A receiver that has armed its port.
template <typename Story>
void with_receiver(Story&& story) {
  const auto queue = queue_or_skip();
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  Receiver receiver{*queue, *sockets};
  receiver.rx.use_table(receiver.table);
  REQUIRE(receiver.arms());
  story(receiver);
  while (const auto frame = receiver.rx.next())
    receiver.buffers.release(frame->buffer);
  CHECK(receiver.buffers.available() == receiver.all_buffers);
}

struct ReceiveRow {
  int result;
  std::uint32_t flags;
  std::uint32_t frames;
  bool armed;  ///< again
  std::uint32_t failures;
};

}  // namespace

TEST_CASE("a receive, by what the kernel answers") {
  const ReceiveRow rows[] = {
      {headers + 100, in_buffer | more, 1, false, 0},
      {headers + 100, in_buffer, 1, true, 0},  // the last one of this request
      {headers, in_buffer | more, 1, false, 0},
      {headers - 1, in_buffer | more, 0, false, 0},  // short of its headers: no frame
      {-EFAULT, in_buffer, 0, true, 1},
      {0, 0, 0, true, 0},
      {-ECANCELED, 0, 0, true, 0},
      {-ENETDOWN, 0, 0, true, 1},  // said once when the link goes down
      {-ENODEV, 0, 0, true, 1},
      {-EAGAIN, 0, 0, true, 1},
      {-EINTR, 0, 0, true, 1},
      {-ENOMEM, 0, 0, true, 1},
      {-EIO, 0, 0, true, 1},
      {-EOPNOTSUPP, 0, 0, true, 1},
      {-ENOBUFS, 0, 0, false, 0},  // of ours: armed when buffers are back
  };
  for (const auto& row : rows) {
    INFO("result " << row.result << ", flags " << row.flags);
    with_receiver([&](Receiver& receiver) {
      std::memset(receiver.buffers.at(7), 0, headers);
      receiver.complete(row.result, row.flags);
      CHECK(receiver.rx.waiting() == row.frames);
      CHECK(receiver.counters->rx[0].rx_frames.get() == row.frames);
      CHECK(receiver.arms() == row.armed);
      CHECK(receiver.port().failures.load() == row.failures);
    });
  }
}

TEST_CASE("a frame larger than its buffer is no whole one") {
  with_receiver([](Receiver& receiver) {
    io_uring_recvmsg_out out{};
    out.flags = MSG_TRUNC;
    std::memcpy(receiver.buffers.at(7), &out, sizeof out);
    receiver.complete(headers + 100, in_buffer | more);
    const auto frame = receiver.rx.next();
    REQUIRE(frame);
    CHECK_FALSE(frame->whole);
    receiver.buffers.release(frame->buffer);
  });
}

TEST_CASE("EINVAL is a superframe that an old kernel cannot describe, and an error elsewhere") {
  with_receiver([](Receiver& receiver) {
    receiver.complete(-EINVAL);
    CHECK(receiver.arms());
    const auto truncated = receiver.counters->worker.drops.values()[2].get();
    CHECK(truncated == (superframes_are_described() ? 0 : 1));
    CHECK(receiver.port().failures.load() == (superframes_are_described() ? 1 : 0));
  });
}

TEST_CASE("a receive that fails again and again waits for the next wake-up") {
  with_receiver([](Receiver& receiver) {
    for (int i = 1; i < 16; ++i) {
      receiver.complete(-EIO);
      REQUIRE(receiver.arms());
    }
    receiver.complete(-EIO);
    CHECK_FALSE(receiver.arms());
    receiver.rx.use_table(receiver.table);  // what a wake-up comes to
    CHECK(receiver.arms());
    std::memset(receiver.buffers.at(7), 0, headers);
    receiver.complete(headers + 100, in_buffer | more);
    CHECK(receiver.port().failures.load() == 0);
  });
}

TEST_CASE("without buffers a receive is armed again when some have come back") {
  with_receiver([](Receiver& receiver) {
    for (std::uint16_t id = 0; id < receiver.all_buffers; ++id)
      receiver.buffers.received(id);
    receiver.complete(-ENOBUFS);
    receiver.rx.rearm();
    CHECK_FALSE(receiver.arms());
    for (std::uint16_t id = 0; id < receiver.all_buffers; ++id)
      receiver.buffers.release(id);
    receiver.rx.rearm();
    CHECK(receiver.arms());
  });
}

TEST_CASE("a receive that is not wanted ends, whatever the kernel answers") {
  for (const int result : {-ECANCELED, -ENOBUFS, -ENETDOWN, 0}) {
    INFO("result " << result);
    with_receiver([&](Receiver& receiver) {
      receiver.rx.stop();
      receiver.complete(result);
      CHECK_FALSE(receiver.arms());
      CHECK_FALSE(receiver.rx.busy());
      CHECK(receiver.port().busy.load());
      receiver.rx.release_idle_sockets();
      CHECK_FALSE(receiver.port().busy.load());
    });
  }
}
