#include "mcr/control/socket_pool.hpp"

#include "catch.hpp"
#include "mcr/host/ethtool.hpp"
#include "private_network.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

/// Workers that do not run: they have cells for sockets, and use none.
struct Pool {
  RcuPointer<RuleTable> rules{std::make_unique<const RuleTable>(), 2};
  Mapping<RateLimiter> limiters{slots::outputs};
  LoopGuard loop_guard;
  SocketPool::Workers workers;
  SocketPool sockets{workers};
  SlotAllocators slots;
  InterfaceTunings tunings;
  Interfaces host = Netlink().snapshot();

  Pool() {
    for (unsigned id = 0; id < 2; ++id)
      workers.push_back(
          std::make_unique<Worker>(rules, limiters, loop_guard, id, std::nullopt, Tx::Mode::bulk));
  }

  RuleTable table(std::vector<Rule> wanted) {
    for (auto& one : wanted) {
      for (auto& input : one.inputs)
        input.interface = "near";
      for (auto& output : one.outputs)
        output.interface = "far";
    }
    std::vector<RuleStatus> statuses;
    for (const auto& one : wanted)
      statuses.push_back(rule_status(one, host, never_refused));
    return compile_table(wanted, host, statuses, slots, 1, sockets.source_port());
  }

  ReloadPlan open(const RuleTable& table) {
    ReloadPlan plan;
    plan_sockets(plan, table, sockets.opened());
    sockets.open(plan.open_rx, plan.open_tx, tunings, Fanout::hash);
    sockets.widen(plan.widen);
    return plan;
  }
};

const Endpoint a{ip("239.1.1.1"), 5000};
const Endpoint b{ip("239.1.1.2"), 5000};

}  // namespace

TEST_CASE("sockets follow the plans of tables") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Pool pool;
  auto plan = pool.open(pool.table({rule("a", a.address, a.port)}));
  CHECK(plan.open_rx.size() == 1);
  CHECK(plan.open_tx.size() == 1);
  for (const auto& worker : pool.workers) {
    CHECK(worker->sockets().rx[0].socket.valid());
    CHECK(worker->sockets().tx[0].socket.valid());
  }
  CHECK(pool.sockets.opened().rx.at(0).passing == std::vector{a});
  CHECK(pool.sockets.granted().at("near").receive != 0);
  CHECK(pool.sockets.granted().at("far").send != 0);

  plan = pool.open(pool.table({rule("b", b.address, b.port)}));
  CHECK(plan.open_rx.empty());
  CHECK(pool.sockets.opened().rx.at(0).passing == std::vector{a, b});
  pool.sockets.narrow(plan.narrow);
  CHECK(pool.sockets.opened().rx.at(0).passing == std::vector{b});

  plan = pool.open(pool.table({}));
  CHECK(pool.sockets.retire(plan.retire_rx, plan.retire_tx, pool.slots));
  CHECK(pool.sockets.opened().rx.empty());
  CHECK(pool.sockets.opened().tx.empty());
  CHECK(pool.slots.rx.entries().empty());
  CHECK(pool.slots.tx.entries().empty());
}

TEST_CASE("a socket is closed when no worker uses it") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Pool pool;
  pool.open(pool.table({rule("a", a.address, a.port)}));
  const auto plan = pool.open(pool.table({}));
  auto& used = pool.workers[1]->sockets();
  used.rx[0].busy = true;
  used.tx[0].unresolved = 1;
  CHECK_FALSE(pool.sockets.retire(plan.retire_rx, plan.retire_tx, pool.slots));
  CHECK(pool.sockets.opened().rx.size() == 1);
  CHECK(pool.slots.tx.entries().size() == 1);
  used.rx[0].busy = false;
  CHECK_FALSE(pool.sockets.retire(plan.retire_rx, plan.retire_tx, pool.slots));
  CHECK(pool.sockets.opened().rx.empty());
  used.tx[0].unresolved = 0;
  CHECK(pool.sockets.retire(plan.retire_rx, plan.retire_tx, pool.slots));
}

TEST_CASE("when one socket cannot be opened none is") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Pool pool;
  const auto table = pool.table({rule("a", a.address, a.port)});
  auto rx = table.rx();
  rx.push_back(rx[0]);
  rx[1].slot = 1;
  rx[1].key.interface_index = 999;
  CHECK_THROWS_AS(pool.sockets.open(rx, table.tx(), pool.tunings, Fanout::hash), SocketsRefused);
  CHECK(pool.sockets.opened().rx.empty());
  CHECK(pool.sockets.opened().tx.empty());
}

TEST_CASE("a ring of blocks is made before its socket is used, or not at all") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Pool pool;
  const auto table = pool.table({rule("a", a.address, a.port)});
  pool.open(table);
  CHECK_NOTHROW(pool.sockets.refuse_restart_keys(table, pool.tunings));
  pool.tunings["near"].ingress = IngressMode::mmap;
  CHECK_THROWS_AS(pool.sockets.refuse_restart_keys(table, pool.tunings), Failure);
}

TEST_CASE("sockets have a ring of a quarter of their buffer, if that is neither little nor much") {
  MCR_NEEDS_PRIVATE_NETWORK();
  constexpr std::uint64_t mib = 1U << 20U;
  struct Row {
    std::uint64_t buffer;
    IngressMode mode;
    std::uint64_t ring;
  };
  const Row rows[] = {
      {32 * mib, IngressMode::automatic, 8 * mib},
      {128 * mib, IngressMode::automatic, 32 * mib},  // two workers: 64 MiB in all
      {129 * mib, IngressMode::automatic, 0},
      {4 * mib, IngressMode::automatic, mib},
      {4 * mib - 1, IngressMode::automatic, 0},
      {32 * mib, IngressMode::recvmsg, 0},
      {8 * mib, IngressMode::mmap, 8 * mib},
  };
  for (const auto& row : rows) {
    INFO("receive_buffer " << row.buffer);
    const bool possible = superframes_are_described() || row.mode == IngressMode::mmap;
    Pool pool;
    pool.tunings["near"].receive_buffer = row.buffer;
    pool.tunings["near"].ingress = row.mode;
    pool.open(pool.table({rule("a", a.address, a.port)}));
    CHECK(pool.sockets.granted().at("near").ring == (possible ? row.ring : 0));
  }
}

TEST_CASE("a source port that another program has is not held") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Pool pool;
  Pool other;
  CHECK(pool.sockets.hold_source_port(pool.sockets.source_port()));
  CHECK(pool.sockets.hold_source_port(7000));
  CHECK(pool.sockets.hold_source_port(7000));
  CHECK_FALSE(other.sockets.hold_source_port(7000));
  CHECK(pool.sockets.retire({}, {}, pool.slots));  // no socket sends from it
  CHECK(other.sockets.hold_source_port(7000));
}
