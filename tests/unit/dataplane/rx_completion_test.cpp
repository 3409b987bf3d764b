// The kernel's answers to a receive, forged.
//
// Not here, and why:
//   packed blocks              no completion tells of a frame; test `ring`
//   a cancellation             its result is not looked at
#include <linux/if_packet.h>

#include "forged.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/host/ethtool.hpp"

using namespace mcr;
using namespace mcr::test;

namespace {

constexpr std::uint32_t in_buffer = IORING_CQE_F_BUFFER | 7U << IORING_CQE_BUFFER_SHIFT;
constexpr std::uint32_t more = IORING_CQE_F_MORE;
constexpr int headers = sizeof(io_uring_recvmsg_out) + sizeof(VnetHeader);

/// A worker's receiving side, and a table that wants one port.
struct ReceivingSide {
  Queue& queue;
  WorkerSockets& sockets;
  Mapping<CounterBlock> counters{1};
  Buffers buffers{queue.ring};
  const std::uint32_t all_buffers = buffers.available();
  Rx rx{queue.ring, buffers, sockets, *counters};
  RuleTable table = OneRule().compile();

  [[nodiscard]] RxSlot& port() const { return sockets.rx[table.rx().front().slot]; }
};

struct Receiver : ReceivingSide {
  Token token{};

  /// True if a receive was armed since the last call.
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
  /// Any descriptor will do: nothing is ever handed to the kernel.
  void use_table() {
    port().socket = Fd(0);
    rx.use_table(table);
  }
};

/// A receiver that has armed its port.
template <typename Story>
void with_receiver(Story&& story) {
  const auto queue = queue_or_skip();
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  Receiver receiver{{*queue, *sockets}};
  receiver.use_table();
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
    receiver.use_table();  // what a wake-up comes to
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

TEST_CASE("a ring without room is asked again, for a receive and for its end") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  Receiver receiver{{*queue, *sockets}};
  const auto fill = [&] {
    while (auto* request = queue->ring.request())
      io_uring_prep_nop(request);
    static_cast<void>(queue->requests());
  };
  fill();
  receiver.use_table();
  CHECK_FALSE(receiver.rx.busy());
  CHECK(receiver.port().busy.load());  // control leaves the slot alone
  queue->take();
  receiver.rx.rearm();
  CHECK(receiver.arms());
  fill();
  receiver.rx.stop();
  queue->take();
  receiver.rx.rearm();
  const auto requests = queue->requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].opcode == IORING_OP_ASYNC_CANCEL);
  receiver.rx.rearm();
  CHECK(queue->requests().empty());
}

namespace {

/// A port with a ring of slots, filled by hand.
struct RingReceiver : ReceivingSide {
  Mapping<std::byte> memory{4 * std::size_t{Blocks::bytes}};
  std::uint32_t head = 0;

  void use_table() {
    port().assign(Fd(0), Blocks{memory.data(), 4, RingLayout::slots}, 14);
    rx.use_table(table);
    CHECK(requests(IORING_OP_POLL_ADD) == 1);
  }
  /// How many of this kind were made since the last call.
  std::uint32_t requests(int opcode) {
    std::uint32_t count = 0;
    for (const auto& request : queue.requests()) {
      count += request.opcode == opcode ? 1U : 0U;
      if (request.token.op == Op::fetch) fetching = request.token;
    }
    return count;
  }
  void fill(std::uint32_t bytes, std::uint32_t status = TP_STATUS_USER) {
    auto& header = *reinterpret_cast<tpacket2_hdr*>(memory.data() + head++ * Blocks::slot_bytes);
    header.tp_mac = 80;
    header.tp_len = bytes;
    header.tp_snaplen = std::min(bytes, 1968U);
    header.tp_status = status;
  }
  void fill_long() { fill(9000, TP_STATUS_USER | TP_STATUS_COPY); }
  /// The socket gives a long frame.
  void give(std::uint16_t buffer, std::uint32_t bytes) {
    std::memset(buffers.at(buffer), 0, headers);
    rx.complete(fetching, completion(fetching, headers + static_cast<int>(bytes),
                                     IORING_CQE_F_BUFFER | IORING_CQE_F_MORE |
                                         std::uint32_t{buffer} << IORING_CQE_BUFFER_SHIFT));
  }
  void end(int result) { rx.complete(fetching, completion(fetching, result, 0)); }
  /// The length of the next frame; 0: none.
  std::size_t next() {
    const auto frame = rx.next();
    if (!frame) return 0;
    CHECK(frame->whole);
    buffers.release(frame->buffer);
    return frame->bytes.size();
  }
  [[nodiscard]] RxCounters& counted() { return counters->rx[table.rx().front().slot]; }
  Token fetching{};
};

template <typename Story>
void with_ring(Story&& story) {
  const auto queue = queue_or_skip();
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  RingReceiver receiver{{*queue, *sockets}};
  receiver.use_table();
  story(receiver);
  CHECK(receiver.buffers.available() == receiver.all_buffers);
}

}  // namespace

TEST_CASE("long frames are fetched when their turn comes, and keep it") {
  with_ring([](RingReceiver& ring) {
    ring.fill(100);
    ring.fill_long();
    ring.fill(200);
    ring.fill_long();
    CHECK(ring.next() == 100);
    CHECK(ring.next() == 0);  // asks for what comes next
    CHECK(ring.next() == 0);
    CHECK(ring.requests(IORING_OP_RECVMSG) == 1);  // once
    CHECK_FALSE(ring.rx.empty());
    ring.give(3, 9000);
    ring.give(5, 8000);
    ring.end(-EAGAIN);
    CHECK(ring.next() == 9000);
    CHECK(ring.next() == 200);
    CHECK(ring.next() == 8000);
    CHECK(ring.next() == 0);
    CHECK(ring.rx.empty());
    CHECK(ring.requests(IORING_OP_RECVMSG) == 0);
    CHECK(ring.counted().rx_frames.get() == 4);
    CHECK(ring.counted().lost_frames.get() == 0);
  });
}

TEST_CASE("a long frame whose bytes nobody has is lost, and counted") {
  with_ring([](RingReceiver& ring) {
    ring.fill(9000);  // the socket's buffer was full: it is not marked
    ring.fill_long();
    ring.fill(100);
    CHECK(ring.next() == 0);
    CHECK(ring.counted().lost_frames.get() == 1);
    REQUIRE(ring.requests(IORING_OP_RECVMSG) == 1);
    SECTION("the socket does not have it, against what its slot says") {
      ring.end(-EAGAIN);
      CHECK(ring.next() == 100);
      CHECK(ring.counted().lost_frames.get() == 2);
    }
    SECTION("an error comes first") {
      ring.end(-ENETDOWN);
      CHECK(ring.next() == 0);
      CHECK(ring.requests(IORING_OP_RECVMSG) == 1);
      ring.give(1, 9000);
      ring.end(-EAGAIN);
      CHECK(ring.next() == 9000);
      CHECK(ring.next() == 100);
      CHECK(ring.counted().lost_frames.get() == 1);
    }
  });
}

TEST_CASE("without buffers for a long frame a worker may sleep until some are back") {
  with_ring([](RingReceiver& ring) {
    ring.fill_long();
    CHECK(ring.next() == 0);
    CHECK(ring.requests(IORING_OP_RECVMSG) == 1);
    ring.end(-ENOBUFS);
    CHECK(ring.rx.empty());
    CHECK(ring.next() == 0);
    CHECK(ring.requests(IORING_OP_RECVMSG) == 0);
    ring.rx.rearm();  // there are enough
    CHECK_FALSE(ring.rx.empty());
    CHECK(ring.next() == 0);
    CHECK(ring.requests(IORING_OP_RECVMSG) == 1);
    ring.give(2, 9000);
    ring.end(-EAGAIN);
    CHECK(ring.next() == 9000);
  });
}

TEST_CASE("a port is given back when its fetch has ended and long frames are gone") {
  with_ring([](RingReceiver& ring) {
    auto& busy = ring.port().busy;
    ring.fill_long();
    CHECK(ring.next() == 0);
    CHECK(ring.requests(IORING_OP_RECVMSG) == 1);
    ring.rx.stop();
    ring.rx.complete(Token{.op = Op::receive}, completion(Token{.op = Op::receive}, -ECANCELED, 0));
    ring.rx.release_idle_sockets();
    CHECK(busy.load());
    CHECK(ring.rx.busy());
    ring.give(1, 9000);
    ring.give(2, 9000);  // its slot is not filled yet
    ring.end(-EAGAIN);
    CHECK_FALSE(ring.rx.busy());
    CHECK(ring.next() == 9000);
    ring.rx.release_idle_sockets();
    CHECK_FALSE(busy.load());
  });
}
