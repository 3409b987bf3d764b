// A worker on sockets that need no privileges: frames come in by a socket pair (what io_uring
// receives there is what an AF_PACKET socket gives: a vnet header and a frame) and leave as UDP by
// the loopback interface.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "frame_builder.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/rules/compiler.hpp"

namespace mcr::test {

using namespace std::chrono_literals;

template <typename Condition>
bool comes_true(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

inline Interface link(std::string name, unsigned index, std::string_view address) {
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
  void put(const FrameBuilder& frame) const {
    const auto built = frame.build();
    std::vector<std::byte> bytes(sizeof(VnetHeader));
    bytes.insert(bytes.end(), built.begin(), built.end());
    REQUIRE(::send(ours.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }
};

/// One worker with one rule an input (or with `merge` one rule): 239.1.1.N:5000 on link N to the
/// sink.
class World {
 public:
  Sink sink;
  Wire wires[2];
  RateLimit limit;
  std::optional<Merge> merge;  ///< then one rule has all inputs
  std::uint32_t circle = 0;
  std::uint64_t capture_before = 0;

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
  /// The first so many inputs, from now on.
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

  [[nodiscard]] SlotAllocators& allocators() { return allocators_; }
  [[nodiscard]] Worker& worker() { return *worker_; }
  /// The first rule's; its slot is 0.
  [[nodiscard]] std::shared_ptr<const Past> past() const { return allocators_.pasts.find("in1"); }
  [[nodiscard]] const WorkerCounters& counters() const { return worker_->counters().worker; }
  /// True if the worker receives by the last rule's socket.
  [[nodiscard]] bool receives() const { return worker_->sockets().rx[newest_rx_].busy.load(); }
  /// Another relay's copy of this frame's payload comes to the network of the outputs.
  void hear_copy(const FrameBuilder& frame) {
    const auto hash = loop_guard_.hash(circle, std::as_bytes(std::span(frame.payload)));
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const Endpoint other{IpAddress::v4(0x7F000009U), 5000};
    loop_guard_.carriers().heard(hash, ::if_nametoindex("lo"), other,
                                 static_cast<std::uint64_t>(now.count()));
  }
  [[nodiscard]] std::uint64_t dropped(OutputDrop reason) const {
    return counters().tx_drops.values()[static_cast<std::size_t>(reason)].get();
  }

 private:
  RuleTable compiled(std::size_t count) {
    std::vector<Rule> rules;
    std::vector<Interface> links{link("lo", ::if_nametoindex("lo"), "127.0.0.1")};
    for (unsigned n = 1; n <= count; ++n) {
      const auto name = "in" + std::to_string(n);
      links.push_back(link(name, 100 + n, "10.1.0.1"));
      const Input input{name, *IpAddress::parse("239.1.1." + std::to_string(n)), 5000, {}};
      if (merge && n > 1) {
        rules.front().inputs.push_back(input);
        continue;
      }
      Rule rule;
      rule.name = name;
      rule.merge = merge;
      rule.inputs = {input};
      rule.outputs = {{"lo", *IpAddress::parse("127.0.0.1"), sink.port(), Ttl::of(16)}};
      rule.outputs.front().limit = limit;
      rule.circle.number = circle;
      rule.capture_before = capture_before;
      rules.push_back(rule);
    }
    const Interfaces interfaces(links);
    std::vector<RuleStatus> statuses;
    for (const auto& rule : rules)
      statuses.push_back(rule_status(rule, interfaces, [](const Input&) { return Reason(); }));
    return compile_table(rules, interfaces, statuses, allocators_, ++generation_);
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

inline FrameBuilder frame(std::size_t bytes = 100) {
  FrameBuilder result;
  result.payload.assign(bytes, 7);
  return result;
}

}  // namespace mcr::test
