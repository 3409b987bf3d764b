// The kernel's answers to a receive, forged.
//
// Not here, and why:
//   blocks of a receive ring   no completion tells of a frame; test `ring`
//   a cancellation             its result is not looked at
#include "forged.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/host/ethtool.hpp"

using namespace mcr;
using namespace mcr::test;

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
  RuleTable table = OneRule().compile();
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
  [[nodiscard]] RxSlot& port() const { return sockets.rx[table.rx().front().slot]; }
};

/// A receiver that has armed its port.
template <typename Story>
void with_receiver(Story&& story) {
  const auto queue = queue_or_skip();
  if (!queue) return;
  const auto sockets = std::make_unique<WorkerSockets>();
  Receiver receiver{*queue, *sockets};
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
  Receiver receiver{*queue, *sockets};
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
