// A worker on sockets that need no privileges: frames come in by a socket pair (what io_uring
// receives there is what an AF_PACKET socket gives: a vnet header and a frame) and leave as UDP by
// the loopback interface.
#include "mcr/dataplane/worker.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "frame_builder.hpp"
#include "mcr/config/config.hpp"
#include "mcr/rules/compiler.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

template <typename Condition>
bool comes_true(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

Interface link(std::string name, unsigned index, std::string_view address) {
  Interface interface;
  interface.name = std::move(name);
  interface.index = index;
  interface.up = true;
  interface.mtu = 1500;
  interface.type = ARPHRD_ETHER;
  interface.addresses = {*IpAddress::parse(address)};
  return interface;
}

/// The place where the copies arrive.
class Sink {
 public:
  Sink() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof local;
    bound_ = ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0 &&
             ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local), &length) == 0;
    port_ = ntohs(local.sin_port);
  }
  [[nodiscard]] bool usable() const { return bound_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The payload sizes of the next `count` datagrams.
  [[nodiscard]] std::vector<std::size_t> sizes(std::size_t count) const {
    std::vector<std::size_t> result;
    std::array<char, 2048> data{};
    comes_true([&] {
      const auto bytes = ::recv(socket_.get(), data.data(), data.size(), MSG_DONTWAIT);
      if (bytes >= 0) result.push_back(static_cast<std::size_t>(bytes));
      return result.size() == count;
    });
    return result;
  }

 private:
  UniqueFd socket_;
  bool bound_ = false;
  std::uint16_t port_ = 0;
};

struct Wire {
  UniqueFd ours;
  UniqueFd workers;

  Wire() {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) == 0);
    ours = UniqueFd(pair[0]);
    workers = UniqueFd(pair[1]);
  }
  void put(const test::FrameBuilder& frame) const {
    const auto built = frame.build();
    std::vector<std::byte> bytes(sizeof(VnetHeader));
    bytes.insert(bytes.end(), built.begin(), built.end());
    REQUIRE(::send(ours.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }
};

/// One worker with one rule an input: 239.1.1.N:5000 on link N to the sink.
class World {
 public:
  Sink sink;
  Wire wires[2];
  RateLimit limit;
  std::uint32_t circle = 0;

  /// False: not here.
  bool start(std::size_t rules) {
    if (!sink.usable()) return false;
    try {
      worker_ = std::make_unique<Worker>(tables_, limiters_, loop_guard_, 0, std::nullopt,
                                         Tx::Mode::bulk);
      use(rules);
      worker_->start();
    } catch (const Failure& failure) {
      WARN("not tested here: " << failure.what());
      return false;
    }
    return true;
  }
  /// The first so many rules, from now on.
  void use(std::size_t rules) {
    auto table = std::make_unique<const RuleTable>(compiled(rules));
    auto& sockets = worker_->sockets();
    for (std::size_t i = 0; i < table->rx().size(); ++i)
      if (!sockets.rx[table->rx()[i].slot].socket.valid())
        sockets.rx[table->rx()[i].slot].assign(wires[i].workers, {}, 14);
    for (const auto& tx : table->tx()) {
      if (sockets.tx[tx.slot].socket.valid()) continue;
      tx_.push_back(open_tx_socket("lo", tx.key));
      sockets.assign_tx(tx.slot, tx_.back());
      sockets.tx[tx.slot].send_buffer.store(1U << 20U);
    }
    newest_rx_ = table->rx().empty() ? 0 : table->rx().back().slot;
    tables_.publish(std::move(table));
    worker_->wake();
  }

  [[nodiscard]] Worker& worker() { return *worker_; }
  [[nodiscard]] const WorkerCounters& counters() const { return worker_->counters().worker; }
  /// True if the worker receives by the last rule's socket.
  [[nodiscard]] bool receives() const { return worker_->sockets().rx[newest_rx_].busy.load(); }
  /// Another relay's copy of this frame's payload comes to the network of the outputs.
  void hear_copy(const test::FrameBuilder& frame) {
    const auto hash = loop_guard_.hash(circle, std::as_bytes(std::span(frame.payload)));
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    loop_guard_.carriers().heard(hash, ::if_nametoindex("lo"),
                                 static_cast<std::uint64_t>(now.count()));
  }
  [[nodiscard]] std::uint64_t dropped(OutputDrop reason) const {
    return counters().tx_drops.values()[static_cast<std::size_t>(reason)].get();
  }

 private:
  RuleTable compiled(std::size_t rules) {
    Config config;
    std::vector<Interface> links{link("lo", ::if_nametoindex("lo"), "127.0.0.1")};
    for (unsigned n = 1; n <= rules; ++n) {
      const auto name = "in" + std::to_string(n);
      links.push_back(link(name, 100 + n, "10.1.0.1"));
      Rule rule;
      rule.name = name;
      rule.inputs = {{name, *IpAddress::parse("239.1.1." + std::to_string(n)), 5000, {}}};
      rule.outputs = {{"lo", *IpAddress::parse("127.0.0.1"), sink.port(), Ttl::of(16)}};
      rule.outputs.front().limit = limit;
      rule.circle.number = circle;
      config.rules.push_back(rule);
    }
    const Interfaces interfaces(links);
    std::vector<RuleStatus> statuses;
    for (const auto& rule : config.rules)
      statuses.push_back(rule_status(rule, interfaces, [](const Input&) { return Reason(); }));
    return compile_table(config, interfaces, statuses, allocators_, ++generation_);
  }

  SlotAllocators allocators_;
  std::uint64_t generation_ = 0;
  RcuPointer<RuleTable> tables_{std::make_unique<const RuleTable>(), 1};
  Mapping<RateLimiter> limiters_{slots::outputs};
  LoopGuard loop_guard_;
  std::vector<UniqueFd> tx_;
  std::uint16_t newest_rx_ = 0;
  std::unique_ptr<Worker> worker_;  // last: it uses the others
};

test::FrameBuilder frame(std::size_t bytes = 100) {
  test::FrameBuilder result;
  result.payload.assign(bytes, 7);
  return result;
}

}  // namespace

TEST_CASE("a worker forwards what a rule takes, and counts it") {
  World world;
  if (!world.start(1)) return;
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(101));
  CHECK(world.sink.sizes(3) == std::vector<std::size_t>{100, 100, 101});
  world.worker().stop();
  const auto& counters = world.counters();
  CHECK(counters.rx_datagrams.get() == 3);
  CHECK(counters.matched.get() == 3);
  CHECK(counters.tx_datagrams.get() == 3);
}

TEST_CASE("a worker counts what it does not forward, by reason") {
  World world;
  if (!world.start(1)) return;
  auto foreign = frame();
  foreign.destination.port = 5001;
  world.wires[0].put(foreign);
  auto damaged = frame();
  damaged.break_checksum = true;
  world.wires[0].put(damaged);
  auto fragment = frame();
  fragment.fragment = 0x2000;
  world.wires[0].put(fragment);
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 3; }));
  world.worker().stop();
  const auto& counters = world.counters();
  const auto dropped = [&](InputDrop reason) {
    return counters.drops.values()[static_cast<std::size_t>(reason)].get();
  };
  CHECK(counters.unmatched.get() == 1);
  CHECK(dropped(InputDrop::bad_checksum) == 1);
  CHECK(dropped(InputDrop::fragment) == 1);
  CHECK(counters.tx_datagrams.get() == 0);
}

TEST_CASE("a worker sends what a limit lets pass, and counts the rest") {
  World world;

  world.limit.pps = 1;
  if (!world.start(1)) return;
  for (int i = 0; i < 100; ++i)
    world.wires[0].put(frame());
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 100; }));
  world.worker().stop();
  const auto sent = world.counters().tx_datagrams.get();
  CHECK(sent >= 1);
  CHECK(sent < 100);
  CHECK(sent + world.dropped(OutputDrop::rate_limited) == 100);
}

TEST_CASE("a sleeping worker takes a new table when woken") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
}

TEST_CASE("a wake-up that comes while a worker waits for a fuller batch is not forgotten") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.worker().set_batch_wait(300ms);
  auto foreign = frame();
  foreign.destination.port = 5001;
  world.wires[0].put(foreign);  // nothing is sent: after the wait there is no reason to go on
  std::this_thread::sleep_for(50ms);
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
}

TEST_CASE("a worker that polls goes round without a frame, forwards, and sleeps again") {
  World world;
  if (!world.start(1)) return;
  world.worker().set_poll(true);
  world.worker().wake();
  const auto rounds = [&] { return world.worker().rounds(); };
  CHECK(comes_true([&] { return rounds() > 10'000; }));
  world.wires[0].put(frame());
  CHECK(comes_true([&] { return world.counters().tx_datagrams.get() == 1; }));
  world.use(2);
  CHECK(comes_true([&] { return world.receives(); }));
  world.worker().set_poll(false);
  std::this_thread::sleep_for(50ms);
  const auto before = rounds();
  std::this_thread::sleep_for(50ms);
  CHECK(rounds() < before + 100);
}

TEST_CASE("a worker that stops forwards what it has received") {
  World world;
  if (!world.start(1)) return;
  REQUIRE(comes_true([&] { return world.receives(); }));
  world.worker().set_batch_wait(200ms);
  for (int i = 0; i < 10; ++i)
    world.wires[0].put(frame());
  REQUIRE(comes_true([&] {
    return world.counters().rx_datagrams.get() > 0 ||
           world.worker().counters().rx[0].rx_frames.get() > 0;
  }));
  world.worker().stop();
  CHECK(world.counters().rx_datagrams.get() == world.counters().tx_datagrams.get());
}

TEST_CASE("a worker holds the first datagrams of a circle, and sends them in their order") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  for (std::size_t bytes = 100; bytes < 200; ++bytes)
    world.wires[0].put(frame(bytes));  // more than are held at once
  const auto sizes = world.sink.sizes(100);
  REQUIRE(sizes.size() == 100);
  CHECK(std::ranges::is_sorted(sizes));
  world.wires[0].put(frame(200));
  CHECK(world.sink.sizes(1) == std::vector<std::size_t>{200});
  CHECK(world.dropped(OutputDrop::loop) == 0);
}

TEST_CASE("a worker does not send what another relay brings while it is held") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  world.wires[0].put(frame(100));
  world.wires[0].put(frame(101));
  CHECK(comes_true([&] {
    world.hear_copy(frame(100));
    world.hear_copy(frame(101));
    return world.dropped(OutputDrop::loop) == 2;
  }));
  world.worker().stop();
  CHECK(world.counters().tx_datagrams.get() == 0);
}

TEST_CASE("a worker that stops sends what it holds") {
  World world;
  world.circle = 1;
  if (!world.start(1)) return;
  world.wires[0].put(frame());
  REQUIRE(comes_true([&] { return world.counters().rx_datagrams.get() == 1; }));
  world.worker().stop();
  CHECK(world.counters().tx_datagrams.get() == 1);
}
