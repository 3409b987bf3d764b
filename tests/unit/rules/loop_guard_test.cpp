// Relays, hosts and segments in a simulation: whatever is joined how, traffic must end.
#include "mcr/rules/loop_guard.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

using Time = std::chrono::nanoseconds;

struct Datagram {
  std::string payload;
  Endpoint source;
  std::uint64_t station = 0;  ///< that has put it on the segment
};

Packet packet_of(const Datagram& datagram) {
  Packet packet;
  packet.source = datagram.source;
  packet.payload = std::as_bytes(std::span(datagram.payload));
  packet.segment = static_cast<std::uint32_t>(datagram.payload.size());
  return packet;
}

Endpoint endpoint(unsigned segment, unsigned host, std::uint16_t port = 5353) {
  return {IpAddress::v4(0x0A000000U | segment << 8U | host), port};
}

/// One with an address on each of its segments; it puts what it hears on one of them on all others.
/// `host`: of its addresses; on segment N it is `host` + N * `shift`.
struct Relay {
  std::vector<unsigned> segments;
  unsigned host = 0;
  bool preserves = false;
  bool one_way = false;  ///< from its first segment only; it listens on the others
  unsigned shift = 0;
  bool waits = true;  ///< as workers do; false: sends at once, as if it knew of nobody
  std::unique_ptr<LoopGuard> guard = std::make_unique<LoopGuard>();

  [[nodiscard]] bool hears_on(unsigned segment) const {
    return std::ranges::count(segments, segment) != 0;
  }
  [[nodiscard]] Endpoint address(unsigned segment) const {
    return endpoint(segment, host + shift * segment);
  }
  [[nodiscard]] bool is_own(const Endpoint& source) const {
    return std::ranges::any_of(segments, [&](unsigned s) { return source == address(s); });
  }
};

/// Segments, relays, wires between segments, and what is on its way.
class Network {
 public:
  std::vector<Relay> relays;
  std::vector<std::pair<unsigned, unsigned>> wires;
  double loss = 0;
  Time fastest = 1us;  ///< of a relay: from the segment into it
  Time slowest = 1ms;

  explicit Network(unsigned seed) : random_(seed) {}

  void send(unsigned segment, const Datagram& datagram) {
    put(segment, datagram, nullptr);
    last_sent_ = now_;
  }

  /// Goes on until nothing is on its way, or for so long; how much arrived by segment and payload.
  void run(Time longest) {
    const auto end = now_ + longest;
    while (!coming_.empty() && coming_.top().at <= end) {
      const auto arrival = coming_.top();
      coming_.pop();
      now_ = arrival.at;
      auto& relay = relays[arrival.relay];
      if (arrival.to)
        send_held(relay, arrival);
      else
        hear(relay, arrival);
    }
    now_ = end;
  }
  [[nodiscard]] bool quiet() const { return coming_.empty(); }
  [[nodiscard]] Time ended_after() const { return last_put_ - last_sent_; }

  std::map<std::pair<unsigned, std::string>, int> arrived;

 private:
  /// On its way to a relay, or held there.
  struct Flight {
    Time at;
    std::size_t relay;
    unsigned segment;
    Datagram datagram;
    std::optional<unsigned> to = std::nullopt;  ///< held for this segment
    Time came = Time(0);

    friend bool operator<(const Flight& a, const Flight& b) { return a.at > b.at; }
  };

  /// On all segments that wires join; a relay does not hear itself where it sends.
  void put(unsigned segment, const Datagram& datagram, const Relay* from) {
    last_put_ = now_;
    put_on(segment, datagram, from);
    for (const auto& [a, b] : wires)
      if (a == segment || b == segment) put_on(a == segment ? b : a, datagram, nullptr);
  }

  void put_on(unsigned segment, const Datagram& datagram, const Relay* from) {
    ++arrived[{segment, datagram.payload}];
    for (std::size_t r = 0; r < relays.size(); ++r) {
      if (&relays[r] == from || !relays[r].hears_on(segment)) continue;
      if (std::bernoulli_distribution(loss)(random_)) continue;
      const std::uniform_int_distribution<Time::rep> delay(fastest.count(), slowest.count());
      coming_.push({now_ + Time(std::uniform_int_distribution<Time::rep>(delay)(random_)), r,
                    segment, datagram, std::nullopt, Time(0)});
    }
  }

  [[nodiscard]] static std::uint64_t ns(Time time) {
    return static_cast<std::uint64_t>((time + 1h).count());
  }
  /// A relay's output from one segment to another.
  [[nodiscard]] static std::uint32_t way(unsigned from, unsigned to) { return from * 8 + to; }

  void hear(Relay& relay, const Flight& arrival) {
    const auto segment = arrival.segment;
    const bool listens = relay.one_way && segment != relay.segments.front();
    const auto judged = relay.guard->judge({.circle = 1,
                                            .rule = segment,
                                            .interface = segment + 1,
                                            .rx_slot = static_cast<std::uint16_t>(segment),
                                            .station = arrival.datagram.station,
                                            .own = relay.is_own(arrival.datagram.source),
                                            .listens = listens,
                                            .preserves = relay.preserves},
                                           packet_of(arrival.datagram), ns(now_));
    if (judged.stopped[0] || listens) return;
    auto& carriers = relay.guard->carriers();
    for (const unsigned to : relay.segments) {
      if (to == segment) continue;
      if (!relay.waits || (!judged.wary && carriers.carries(way(segment, to)))) {
        send(relay, segment, to, arrival.datagram);
        continue;
      }
      auto held = arrival;
      held.to = to;
      held.came = now_;
      const auto rank = Carriers::rank_of(relay.address(to).address);
      held.at = now_ + carriers.wait(way(segment, to), rank, relay.preserves);
      coming_.push(held);
    }
  }

  void send_held(Relay& relay, const Flight& held) {
    auto& carriers = relay.guard->carriers();
    const auto hash = relay.guard->hash(1, packet_of(held.datagram).payload);
    if (carriers.is_there(hash, *held.to + 1, ns(held.came)))
      carriers.left(way(held.segment, *held.to), hash, *held.to + 1, held.datagram.source,
                    ns(now_));
    else
      send(relay, held.segment, *held.to, held.datagram);
  }

  void send(Relay& relay, unsigned from, unsigned to, const Datagram& datagram) {
    auto& carriers = relay.guard->carriers();
    if (carriers.is_due(way(from, to), ns(now_)))
      carriers.sent(way(from, to), relay.guard->hash(1, packet_of(datagram).payload), to + 1,
                    ns(now_));
    put(to, {datagram.payload, relay.preserves ? datagram.source : relay.address(to), relay.host},
        &relay);
  }

  std::mt19937 random_;
  std::priority_queue<Flight> coming_;
  Time now_{0};
  Time last_sent_{0};
  Time last_put_{0};
};

/// A host on each segment sends so many datagrams.
void talk(Network& network, unsigned segments, int datagrams) {
  for (int n = 0; n < datagrams; ++n) {
    for (unsigned segment = 0; segment < segments; ++segment) {
      const auto payload = "datagram " + std::to_string(n) + " on " + std::to_string(segment);
      network.send(segment, {payload, endpoint(segment, 100), 100});
    }
    network.run(10ms);
  }
  network.run(2s);
}

int most_arrivals(const Network& network) {
  int most = 0;
  for (const auto& [where, times] : network.arrived)
    most = std::max(most, times);
  return most;
}

int fewest_arrivals(const Network& network) {
  int fewest = 1000;
  for (const auto& [where, times] : network.arrived)
    fewest = std::min(fewest, times);
  return fewest;
}

/// Counts all that the relays have heard and that goes round.
std::uint64_t gone_round(const Network& network) {
  std::uint64_t sum = 0;
  for (const auto& relay : network.relays)
    for (const unsigned segment : relay.segments)
      sum += relay.guard->echoes(segment).datagrams;
  return sum;
}

std::vector<unsigned> several(unsigned segments) {
  std::vector<unsigned> all(segments);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

std::vector<Relay> between(unsigned count, std::vector<unsigned> segments, bool preserves = false) {
  std::vector<Relay> relays;
  for (unsigned host = 1; host <= count; ++host)
    relays.push_back({segments, host, preserves});
  return relays;
}

}  // namespace

TEST_CASE("loop guard: one relay changes nothing") {
  Network network(1);
  network.relays = between(1, {0, 1, 2});
  talk(network, 3, 100);
  CHECK(network.arrived.size() == 3 * 3 * 100);
  CHECK(most_arrivals(network) == 1);
  CHECK(network.quiet());
}

TEST_CASE("loop guard: several relays between the same segments bring one copy, or two") {
  int copies = 0;
  int datagrams = 0;
  for (const bool preserves : {false, true})
    for (unsigned seed = 0; seed < 20; ++seed)
      for (const unsigned relays : {2U, 3U, 5U}) {
        INFO(relays << " relays, seed " << seed << (preserves ? ", preserve" : ""));
        Network network(seed);
        network.relays = between(relays, {0, 1}, preserves);
        talk(network, 2, 100);
        CHECK(network.quiet());
        CHECK(network.ended_after() < 1s);
        CHECK(network.arrived.size() == 2 * 2 * 100);
        CHECK(fewest_arrivals(network) >= 1);
        CHECK(most_arrivals(network) <= 2);
        CHECK(gone_round(network) < 8);  // all is well: LoopAlarm::echoes
        for (const auto& [where, times] : network.arrived)
          copies += times;
        datagrams += static_cast<int>(network.arrived.size());
      }
  CHECK(copies < datagrams * 105 / 100);
}

/// Half of what lies between the waits of relays whose addresses are in a row.
Time bound(unsigned relays, bool preserves) {
  const Time apart = relays <= 2 ? 36ms : relays <= 3 ? 22ms : 14ms;
  return apart / 2 / (preserves ? 4 : 1);
}

TEST_CASE("loop guard: below the bound of delays no datagram comes a third time") {
  int datagrams = 0;
  int thrice = 0;  // on three segments and more, where a copy has overtaken its original
  for (const bool preserves : {false, true})
    for (const unsigned segments : {2U, 3U, 4U})
      for (const unsigned relays : {2U, 3U, 4U, 5U})
        for (unsigned seed = 0; seed < 10; ++seed) {
          const auto slowest = bound(relays, preserves) * (seed % 5 + 1) / 5 - 1us;
          INFO(relays << " relays, " << segments << " segments, seed " << seed << ", within "
                      << slowest.count() / 1000 << " us" << (preserves ? ", preserve" : ""));
          Network network(seed);
          network.relays = between(relays, several(segments), preserves);
          for (auto& relay : network.relays)
            relay.shift = seed % 3;
          network.slowest = slowest;
          talk(network, segments, 30);
          CHECK(network.quiet());
          CHECK(network.ended_after() < 1s);
          CHECK(fewest_arrivals(network) >= 1);
          CHECK(most_arrivals(network) <= (segments == 2 ? 2 : 3));
          datagrams += static_cast<int>(network.arrived.size());
          for (const auto& [where, times] : network.arrived)
            thrice += times > 2 ? 1 : 0;
        }
  CHECK(thrice <= datagrams / 5000);
}

/// Here it is exact: of relays that know nothing yet, and hear what is sent within a given
/// time, those send that have waited before they could hear the first one.
TEST_CASE("loop guard: three copies need three waits within twice the delay") {
  for (std::uint32_t a = 1; a < 235; ++a)
    for (const std::uint32_t apart : {1U, 2U, 3U, 7U}) {
      std::array<Time, 3> waits{};
      for (std::uint32_t n = 0; n < waits.size(); ++n)
        waits.at(n) =
            Carriers(1).wait(0, Carriers::rank_of(endpoint(0, a + n * apart).address), false);
      std::ranges::sort(waits);
      for (const Time delay : {100us, 1000us, 5000us, 11000us}) {
        Network network(a);
        for (const std::uint32_t n : {0U, 1U, 2U})
          network.relays.push_back({{0, 1}, a + n * apart});
        network.slowest = network.fastest = delay;
        network.send(0, {"first", endpoint(0, 253), 253});
        network.run(2s);
        const auto copies = network.arrived[{1, "first"}];
        const auto expected =
            1 + (waits[1] < waits[0] + delay ? 1 : 0) + (waits[2] < waits[0] + delay ? 1 : 0);
        INFO("from ." << a << " every " << apart << ", delay " << delay.count());
        CHECK(copies == expected);
      }
    }
}

TEST_CASE("loop guard: a one-way reflector on several relays brings one copy, or two") {
  for (unsigned seed = 0; seed < 20; ++seed)
    for (const unsigned relays : {2U, 3U, 5U}) {
      INFO(relays << " relays, seed " << seed);
      Network network(seed);
      network.relays = between(relays, {0, 1});
      for (auto& relay : network.relays)
        relay.one_way = true;
      talk(network, 1, 100);
      CHECK(network.quiet());
      CHECK(network.arrived.size() == 2 * 100);
      CHECK(most_arrivals(network) <= 2);
      CHECK(gone_round(network) < 8);  // LoopAlarm::echoes
    }
}

TEST_CASE("loop guard: relays that do not wait do not storm either") {
  for (const bool preserves : {false, true})
    for (unsigned seed = 0; seed < 20; ++seed)
      for (const unsigned relays : {2U, 3U}) {
        INFO(relays << " relays, seed " << seed << (preserves ? ", preserve" : ""));
        Network network(seed);
        network.relays = between(relays, {0, 1}, preserves);
        for (auto& relay : network.relays)
          relay.waits = false;
        talk(network, 2, 100);
        CHECK(network.quiet());
        CHECK(network.ended_after() < 1s);
        CHECK(fewest_arrivals(network) >= 1);
        CHECK(most_arrivals(network) <= static_cast<int>(relays));
      }
}

TEST_CASE("loop guard: a triangle of segments, and a ring that goes one way only") {
  for (const bool one_way : {false, true})
    for (const bool preserves : {false, true})
      for (unsigned seed = 0; seed < 20; ++seed) {
        INFO("seed " << seed << (preserves ? ", preserve" : "") << (one_way ? ", one way" : ""));
        Network network(seed);
        for (unsigned n = 0; n < 3; ++n)
          network.relays.push_back({{n, (n + 1) % 3}, n + 1, preserves, one_way});
        talk(network, 3, 100);
        CHECK(network.quiet());
        CHECK(network.ended_after() < 1s);
        CHECK(network.arrived.size() == 3 * 3 * 100);
        CHECK(most_arrivals(network) <= 2);
        if (one_way) CHECK(gone_round(network) >= 150);
      }
}

TEST_CASE("loop guard: a wire between the segments") {
  for (const bool preserves : {false, true})
    for (unsigned seed = 0; seed < 20; ++seed)
      for (const unsigned relays : {1U, 2U, 3U}) {
        INFO(relays << " relays, seed " << seed << (preserves ? ", preserve" : ""));
        Network network(seed);
        network.relays = between(relays, {0, 1}, preserves);
        network.wires = {{0, 1}};
        talk(network, 2, 100);
        CHECK(network.quiet());
        CHECK(network.ended_after() < 1s);
        CHECK(most_arrivals(network) <= 2);
        CHECK(gone_round(network) >= 150);
      }
}

TEST_CASE("loop guard: when the relay that carries is gone, another does") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    INFO("seed " << seed);
    Network network(seed);
    network.relays = between(3, {0, 1});
    talk(network, 2, 20);
    while (network.relays.size() > 1) {
      network.relays.erase(network.relays.begin());
      network.arrived.clear();
      talk(network, 2, 20);
      CHECK(network.arrived.size() == 2 * 2 * 20);
      CHECK(most_arrivals(network) <= 2);
    }
  }
}

TEST_CASE("loop guard: loss and delay prolong nothing") {
  for (unsigned seed = 0; seed < 20; ++seed)
    for (const unsigned relays : {2U, 3U}) {
      INFO(relays << " relays, seed " << seed);
      Network network(seed);
      network.relays = between(relays, {0, 1});
      network.loss = 0.1;
      network.slowest = 100ms;
      talk(network, 2, 100);
      CHECK(network.quiet());
      CHECK(network.ended_after() < 1s);
      CHECK(most_arrivals(network) <= static_cast<int>(2 * relays));
    }
}

TEST_CASE("loop guard: a loop that slips through goes slowly") {
  Network network(3);
  network.relays = between(2, {0, 1});
  network.slowest = 3s;  // longer than the memory lasts
  for (int n = 0; n < 50; ++n)
    network.send(0, {"slow " + std::to_string(n), endpoint(0, 100)});
  network.run(60s);
  int total = 0;
  for (const auto& [where, times] : network.arrived)
    total += times;
  CHECK(total < 50 * 100);
}

TEST_CASE("loop guard: a constant payload is relayed as often as it is sent") {
  LoopGuard guard;
  const Datagram beat{"beat", endpoint(0, 100)};
  for (int n = 0; n < 1000; ++n) {
    const auto stopped = guard.judge({.circle = 1}, packet_of(beat),
                                     static_cast<std::uint64_t>(Time(1h + n * 1ms).count()));
    CHECK(stopped.stopped.none());
  }
  CHECK(guard.echoes(0).datagrams == 0);
}

TEST_CASE("loop guard: the host's own responder is heard, and the relay is not") {
  LoopGuard guard;
  const auto now = static_cast<std::uint64_t>(Time(1h).count());
  const auto heard = [&](const std::string& payload, bool own, bool surely_own = false) {
    return guard
        .judge({.circle = 1, .rx_slot = 2, .own = own, .surely_own = surely_own},
               packet_of({payload, endpoint(1, 1)}), now)
        .stopped.none();
  };
  CHECK(heard("of the responder", true));
  CHECK(guard.judge({.circle = 1}, packet_of({"relayed", endpoint(0, 100)}), now).stopped.none());
  CHECK_FALSE(heard("relayed", true));
  CHECK_FALSE(heard("never seen", true, true));
  CHECK(guard.echoes(0).datagrams == 2);
  CHECK(guard.echoes(0).source == endpoint(1, 1));
  CHECK(guard.echoes(0).rx_slot == 2);
  guard.clear(0);
  CHECK(guard.echoes(0).datagrams == 0);
}

TEST_CASE("loop guard: each datagram of a superframe is judged alone, and circles are apart") {
  LoopGuard guard;
  const auto now = static_cast<std::uint64_t>(Time(1h).count());
  CHECK(guard.judge({.circle = 1}, packet_of({"bb", endpoint(0, 1)}), now).stopped.none());
  const Datagram three{"aabbc", endpoint(1, 2)};
  auto packet = packet_of(three);
  packet.segment = 2;
  packet.datagrams = 3;
  CHECK(guard.judge({.circle = 2, .rx_slot = 1}, packet, now).stopped.none());
  CHECK(guard.judge({.circle = 1, .rx_slot = 1}, packet, now).stopped == 0b010);
}

namespace {

/// Brings it back to a probed rule as soon as it goes on; how often it was held until it was
/// proven.
int prove(LoopGuard& guard, const Arrival& arrival, const Datagram& echo, std::uint64_t& now) {
  int held = 0;
  for (int n = 0; n < 10'000; ++n) {
    const auto found = guard.judge(arrival, packet_of(echo), now += 100'000);
    if (found.stopped.any()) return held;
    if (found.hold_ns == 0) continue;
    ++held;
    const auto hash = guard.hash(arrival.circle, packet_of(echo).payload);
    guard.released(arrival.rule, hash, now += found.hold_ns);
  }
  return -1;
}

}  // namespace

TEST_CASE("loop guard: what comes back to a probed rule by way of another host") {
  LoopGuard guard;
  auto now = static_cast<std::uint64_t>(Time(1h).count());
  const Arrival arrival{.circle = 9, .rx_slot = 2, .probed = true};
  const auto stops = [&](const Datagram& datagram, Time after) {
    const auto at = now + static_cast<std::uint64_t>(after.count());
    return guard.judge(arrival, packet_of(datagram), at).stopped.any();
  };
  CHECK(prove(guard, arrival, {"round", endpoint(0, 2)}, now) == 8);
  CHECK(guard.echoes(0).proofs == 1);
  CHECK_FALSE(guard.refuted(0));
  // Its sender is a relay: nothing else that is on its way goes round.
  CHECK_FALSE(stops({"another one", endpoint(0, 2)}, 1ms));
  CHECK(stops({"another one", endpoint(0, 2)}, 2ms));
  CHECK(stops({"another one", endpoint(0, 2)}, 300ms));
  CHECK(guard.echoes(0).datagrams == 3);
  // Nor if much comes by way of it that is new.
  for (int n = 0; n < 200; ++n)
    CHECK_FALSE(stops({"new " + std::to_string(n), endpoint(0, 2)}, 300ms));
  CHECK(stops({"new 199", endpoint(0, 2)}, 301ms));
  // A host may still repeat itself, and what it sends comes back no more.
  CHECK_FALSE(stops({"of a host", endpoint(0, 100)}, 301ms));
  CHECK_FALSE(stops({"of a host", endpoint(0, 100)}, 302ms));
  CHECK(stops({"of a host", endpoint(0, 2)}, 303ms));
  guard.clear(0);
  CHECK(guard.echoes(0).proofs == 0);
}

TEST_CASE("loop guard: a probed rule drops nothing before that is proven") {
  LoopGuard guard;
  auto now = static_cast<std::uint64_t>(Time(1h).count());
  for (int n = 0; n < 1000; ++n)  // two hosts in two places send the same
    for (const bool second : {false, true})
      for (const bool preserves : {false, true}) {
        const Arrival arrival{.circle = 9,
                              .rx_slot = second,
                              .station = second ? 0xBU : 0xAU,
                              .preserves = preserves,
                              .probed = true};
        const auto& payload = n % 2 == 0 ? "one" : "other";
        const auto host = preserves || !second ? 100U : 101U;
        CHECK(guard.judge(arrival, packet_of({payload, endpoint(0, host)}), now += 500'000)
                  .stopped.none());
      }
  CHECK(guard.echoes(0).datagrams == 0);
}

TEST_CASE("loop guard: of a superframe one datagram is held to see if it comes back") {
  LoopGuard guard;
  auto now = static_cast<std::uint64_t>(Time(1h).count());
  const Datagram superframe{"one two 3rd 4th ", endpoint(0, 2)};
  auto packet = packet_of(superframe);
  packet.segment = 4;
  packet.datagrams = 4;
  std::set<std::uint32_t> held;
  for (int n = 0; n < 10'000; ++n) {
    const auto found =
        guard.judge({.circle = 9, .preserves = true, .probed = true}, packet, now += 100'000);
    REQUIRE(found.stopped.none());
    if (found.hold_ns == 0) continue;
    REQUIRE(found.holds(found.held));
    held.insert(found.held);
    const auto hash = guard.hash(9, packet.part(found.held, 1).payload);
    guard.released(0, hash, now + found.hold_ns / 2);  // early: it proves nothing
  }
  CHECK(held == std::set<std::uint32_t>{0, 1, 2, 3});
}

TEST_CASE("loop guard: a probed rule that preserves senders knows copies by their link address") {
  LoopGuard guard;
  auto now = static_cast<std::uint64_t>(Time(1h).count());
  Arrival arrival{.circle = 9, .station = 0xB, .preserves = true, .probed = true};
  CHECK(prove(guard, arrival, {"round", endpoint(0, 100)}, now) == 8);
  const auto stops = [&](std::uint64_t station, std::string payload, Time after) {
    arrival.station = station;
    const Datagram datagram{std::move(payload), endpoint(0, 100)};
    const auto at = now + static_cast<std::uint64_t>(after.count());
    return guard.judge(arrival, packet_of(datagram), at).stopped.any();
  };
  CHECK_FALSE(stops(0xA, "of the host", 0ms));
  CHECK(stops(0xB, "of the host", 1ms));
  CHECK_FALSE(stops(0xA, "of the host", 2ms));  // a host may repeat itself
  CHECK_FALSE(stops(0xB, "of another host", 3ms));
  CHECK(stops(0xB, "of another host", 303ms));  // however long its trip takes
  CHECK(guard.echoes(0).datagrams == 3);
}
