// Sends, and when they are handed over: order, room, and what a slot's next owner finds.
#include "mcr/dataplane/tx.hpp"

#include <sys/personality.h>
#include <sys/socket.h>

#include <algorithm>

#include "forged.hpp"
#include "mcr/base/kernel_features.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"

using namespace mcr;
using namespace mcr::test;

TEST_CASE("a slot's next owner learns for itself what its path takes") {
  with_sender([](Sender& sender) {
    sender.add(10);
    sender.exchange({});
    sender.reload();
    sender.add(10);
    sender.add(1, size + 1, 1);
    CHECK(sender.send_once().size() == 1);  // a trial, with nothing behind it
    sender.exchange({});
  });
  with_sender([](Sender& sender) {
    sender.add(10);
    sender.exchange({-EIO});
    sender.reload();
    sender.add(10);
    CHECK(sender.send_once().size() == 1);
  });
}

TEST_CASE("a wake-up without a new table forgets nothing") {
  with_sender([](Sender& sender) {
    sender.add(10);
    sender.exchange({});
    sender.tx.use_table(sender.table);
    sender.add(10);
    sender.add(1, size + 1, 1);
    CHECK(sender.send_once().size() == 2);
  });
}

TEST_CASE("a tx slot's next owner finds no notes of the last one") {
  const auto sockets = std::make_unique<WorkerSockets>();
  sockets->sender_notes.add({.tx_slot = 5, .source_port = 4000});
  sockets->sender_notes.add({.tx_slot = 6, .source_port = 4001});
  sockets->tx[5].used.store(true);
  sockets->assign_tx(5, Fd(7));
  CHECK(sockets->tx[5].socket == Fd(7));
  CHECK_FALSE(sockets->tx[5].used.load());
  std::vector<std::uint16_t> noted;
  sockets->sender_notes.drain(
      [&](const SenderNotes::Note& note) { noted.push_back(note.tx_slot); });
  CHECK(noted == std::vector<std::uint16_t>{6});
}

TEST_CASE("a sender changes to a socket of its own when nothing of it waits at the raw one") {
  with_sender(
      [](Sender& sender) {
        const auto raw = sender.output.tx_slot;
        auto key = sender.table.tx().front().key;
        REQUIRE(key.raw);
        key.raw = false;
        key.source_port = sender.source_port;
        sender.add(1, size, 1);
        sender.reload(std::span(&key, 1));
        REQUIRE(sender.output.senders.size() == 1);
        const auto own = sender.output.senders.front().tx_slot;
        CHECK(own != raw);
        sender.add(1, size, 2);
        CHECK(sender.send_once() == std::vector{raw, raw});
        sender.add(1);
        CHECK(sender.send_once() == std::vector{own});
        // Others that wait there do not keep it.
        sender.source_port = 4001;
        sender.add(1, size, 1);
        sender.source_port = 4000;
        sender.add(1);
        CHECK(sender.send_once() == std::vector{raw, own});
      },
      {.preserve = true});
}

TEST_CASE("what finds no room in the ring waits, in order, and what waits too long is counted") {
  const auto story = [](Sender& sender) {
    sender.add(1);
    sender.exchange({});  // no trials any more
    for (std::uint16_t buffer = 0; buffer < Tx::queue_limit / 16 + 5; ++buffer)
      sender.add(16, size, buffer);
    CHECK(sender.dropped(OutputDrop::send_queue_full) == 5 * 16);
    CHECK(sender.send_once().size() == 8);  // as many as the ring has
    CHECK(sender.counted().tx_datagrams.get() == 1 + 8);
    sender.exchange({});
    sender.exchange({});
    CHECK(sender.counted().tx_datagrams.get() == 1 + Tx::queue_limit);
  };
  with_sender(story, {.segments = false}, 8);
}

// Until then it is for the worker to give a turn of the CPU to who empties the socket.
TEST_CASE("a full socket says so when it holds its share of the buffers") {
  const auto story = [](Sender& sender) {
    sender.add(1);
    sender.exchange({});  // no trials any more
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto& slot = sender.sockets.tx[sender.output.tx_slot];
    slot.socket = socket;
    slot.send_buffer = 0;
    std::uint16_t buffer = 0;
    CHECK_FALSE(sender.add(1, size, buffer).blocked);
    sender.tx.flush();
    const auto limit = std::min(quota::held_by_slot, sender.buffers.count() * 3 / 4);
    while (++buffer < limit)
      CHECK_FALSE(sender.add(1, size, buffer).blocked);
    CHECK(sender.dropped(OutputDrop::send_queue_full) == 0);
    const auto refused = sender.add(1, size, buffer);
    CHECK(refused.datagrams == 0);
    CHECK(refused.blocked);
    slot.send_buffer = 1U << 30U;
    sender.exchange({});
  };
  with_sender(story);
}

TEST_CASE("the kernel's features are asked for, not concluded from its version") {
  const auto before = ::personality(0xFFFFFFFF);
  REQUIRE(::personality(static_cast<unsigned long>(before) | UNAME26) != -1);
  CHECK_FALSE(kernel_is_at_least(3, 0));
  with_sender([](Sender& sender) {
    sender.add(1);
    sender.tx.flush();
    const auto& request = sender.queue.ring.raw().sq.sqes[0];
    if (zerocopy_features().supported && zerocopy_features().reports_usage) {
      CHECK(request.opcode == IORING_OP_SENDMSG_ZC);
      CHECK((request.ioprio & zerocopy_flags::report_usage) != 0);
    }
    for (const auto& each : sender.queue.requests())
      sender.answer(each, int{size}, true);
  });
  ::personality(static_cast<unsigned long>(before));
  CHECK_FALSE(knows_zerocopy_send(1U << 14U));
}

TEST_CASE("the features that one ring tells are those that a ring for each tells") {
  CHECK(zerocopy_features().supported == knows_zerocopy_send(0));
  CHECK(zerocopy_features().reports_usage == knows_zerocopy_send(zerocopy_flags::report_usage));
  CHECK(zerocopy_features().registered_pieces ==
        knows_zerocopy_send(zerocopy_flags::registered_buffer));
}
