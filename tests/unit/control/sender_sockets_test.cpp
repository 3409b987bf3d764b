#include "mcr/control/sender_sockets.hpp"

#include "catch.hpp"
#include "private_network.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

const SenderSockets::Clock::time_point start{std::chrono::hours(1)};
constexpr TxKey raw{.interface_index = 3, .any_source = true, .raw = true};

TxKey sender(std::uint16_t port) {
  auto key = raw;
  key.raw = false;
  key.source_port = port;
  return key;
}

/// One worker that does not run, and a table with a raw tx slot (5) and another (6).
struct Stage {
  RcuPointer<RuleTable> rules{std::make_unique<const RuleTable>(), 1};
  Mapping<RateLimiter> limiters{slots::outputs};
  LoopGuard loop_guard;
  SocketPool::Workers workers;
  SocketPool sockets{workers};
  SenderSockets followed{workers, sockets};
  SenderPorts ports;
  SlotAllocator<TxKey> slots{10};
  std::vector<TableTx> tx{{5, "out", raw}, {6, "out", sender(9000)}};

  Stage() {
    workers.push_back(
        std::make_unique<Worker>(rules, limiters, loop_guard, 0, std::nullopt, Tx::Mode::bulk));
  }
  SenderSockets::Change follow(SenderSockets::Clock::time_point now = start) {
    return followed.follow(ports, tx, slots, now);
  }
  void note(std::uint16_t tx_slot, std::uint16_t port) {
    workers[0]->sockets().sender_notes.add({tx_slot, port});
  }
};

}  // namespace

TEST_CASE("a port that went by a raw socket gets sockets of its own") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  CHECK_FALSE(stage.follow());
  stage.note(5, 7000);
  CHECK(stage.follow().added == std::vector{sender(7000)});
  CHECK(stage.ports.keys() == std::vector{sender(7000)});
  stage.note(5, 7000);
  CHECK_FALSE(stage.follow());
}

TEST_CASE("notes of slots that are not raw, or no more, are left out") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  stage.note(6, 7001);
  stage.note(7, 7002);
  CHECK_FALSE(stage.follow());
  CHECK(stage.ports.keys().empty());
}

TEST_CASE("a port that another program has is refused") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  const SourcePort other(7000);
  REQUIRE(other.held());
  stage.note(5, 7000);
  CHECK_FALSE(stage.follow());
  CHECK(stage.ports.keys().empty());
}

TEST_CASE("a port stays while its socket is used, and goes when it is silent") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  stage.note(5, 7000);
  CHECK(stage.follow());
  const auto slot = *stage.slots.add(sender(7000));
  stage.workers[0]->sockets().tx[slot].used = true;
  CHECK_FALSE(stage.follow(start + SenderPorts::patience));
  const auto change = stage.follow(start + 2 * SenderPorts::patience);
  CHECK(change.forgotten);
  CHECK(change.added.empty());
  CHECK(stage.ports.keys().empty());
}
