// The kernel's answers to a send, forged. Each row is one answer and what must come of it;
// after each, the ledger balances and every buffer is back with the kernel.
//
// Not here, and why:
//   a full send buffer, a full queueing discipline   for real, in tests `overload`, `slow_queue`
//   io_uring_enter refused                           a system call: test `refusals`
#include "forged.hpp"
#include "mcr/dataplane/tx.hpp"

using namespace mcr;
using namespace mcr::test;

namespace {

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

TEST_CASE("a refusal is noted with its errno, unless its counter says all there is to say") {
  const std::vector<std::pair<int, int>> rows{
      {-EPERM, EPERM}, {-EIO, EIO},   {-EINVAL, EINVAL}, {-EADDRNOTAVAIL, EADDRNOTAVAIL},
      {-ENETDOWN, 0},  {-ENOBUFS, 0}, {int{size}, 0}};
  for (const auto& row : rows) {
    const int result = row.first;
    const int noted = row.second;
    INFO("result " << result);
    with_sender([&](Sender& sender) {
      sender.add(1);
      sender.exchange({result});
      CHECK(sender.counted().last_refusal.get() == static_cast<RefusalCode>(noted));
      CHECK(sender.counted().refused.get() == (noted == 0 ? 0U : 1U));
    });
  }
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
    if (sender.all_buffers < 300) {
      WARN("not tested here: too little locked memory (ulimit -l) for 300 registered buffers");
      return;
    }
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
  with_sender(each_alone, {.segments = false});
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
