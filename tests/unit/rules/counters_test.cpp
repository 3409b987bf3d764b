#include "mcr/rules/counters.hpp"

#include <atomic>
#include <memory>
#include <thread>

#include "catch.hpp"

using namespace mcr;

TEST_CASE("an output at rest is not written to any more") {
  // A worker does this for each datagram that is sent, and for each that is dropped.
  constexpr std::uint64_t rounds = 20'000;
  const auto counters = std::make_unique<OutputCounters>();
  std::atomic<std::uint64_t> queued{0};
  std::atomic<std::uint64_t> cleared{0};
  std::jthread worker([&] {
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      counters->matched.add(2);
      counters->in_flight.add(2);
      queued.store(round, std::memory_order_release);
      counters->tx_datagrams.add(1);
      counters->in_flight.subtract_last(1);
      counters->drops[OutputDrop::send_error].add(1);
      counters->in_flight.subtract_last(1);
      counters->copied.add_last(1);
      while (cleared.load(std::memory_order_acquire) != round)
        std::this_thread::yield();
    }
  });
  std::uint64_t lost = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    while (queued.load(std::memory_order_acquire) != round)
      std::this_thread::yield();
    while (!at_rest(*counters))
      std::this_thread::yield();
    const auto& drops = counters->drops.values()[static_cast<std::size_t>(OutputDrop::send_error)];
    if (counters->tx_datagrams.get() != 1 || counters->copied.get() != 1 || drops.get() != 1)
      ++lost;
    clear(*counters);
    cleared.store(round, std::memory_order_release);
  }
  CHECK(lost == 0);
}

TEST_CASE("where a rule's last datagram came from is kept for both families") {
  LastSource last;
  for (const auto* text : {"10.0.0.5", "2001:db8::ffff:1", "255.255.255.255", "fe80::1"}) {
    const Endpoint endpoint{*IpAddress::parse(text), 65535};
    last.set(endpoint);
    CHECK(last.get() == endpoint);
  }
}
