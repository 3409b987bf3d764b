// Merging: what each datagram of a leg costs, 1400 B of RTP by two legs.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <vector>

#include "mcr/dataplane/waiting_room.hpp"
#include "mcr/redundancy/legs.hpp"

namespace {

using namespace mcr;

constexpr std::size_t bytes = 1400;
constexpr std::size_t datagrams = 4096;  // in memory; more than a cache of the first level holds
constexpr std::uint64_t apart_ns = 112'000;  // 100 Mbit/s

class Feed {
 public:
  Feed() : memory_(datagrams * bytes, std::byte{7}) {}

  /// Number `n` of the stream.
  [[nodiscard]] std::span<const std::byte> datagram(std::uint64_t n) {
    auto* at = memory_.data() + n % datagrams * bytes;
    at[0] = std::byte{0x80};
    at[1] = std::byte{96};
    at[2] = static_cast<std::byte>(n >> 8U);
    at[3] = static_cast<std::byte>(n);
    return {at, bytes};
  }

 private:
  std::vector<std::byte> memory_;
};

/// Both legs bring each datagram, the second one `lag` numbers later.
void merge_first(benchmark::State& state) {
  redundancy::Legs legs{Merge{}};
  Feed feed;
  const auto lag = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t wrong = 0;
  std::uint64_t n = 0;
  for (; n < lag; ++n)
    wrong += std::uint64_t{legs.judge(0, feed.datagram(n), n * apart_ns).has_value()};
  for (auto _ : state) {
    wrong += std::uint64_t{legs.judge(0, feed.datagram(n), n * apart_ns).has_value()};
    wrong += std::uint64_t{!legs.judge(1, feed.datagram(n - lag), n * apart_ns)};
    ++n;
  }
  if (wrong != 0) state.SkipWithError("wrong answer");
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(merge_first)->Arg(0)->Arg(360);

/// A worker with a datagram that goes on, and with those that wait.
class Line {
 public:
  explicit Line(bool pace) : legs_(merge(pace)) { ring_->enable(); }

  void bring(std::size_t leg, std::span<const std::byte> datagram, std::uint64_t now_ns) {
    auto& sequencer = *legs_.sequencer();
    if (!legs_.judge(leg, datagram, now_ns)) {
      const auto place = legs_.place();
      if (sequencer.is_next(place)) {
        ++passed_;
        sequencer.pass(place);
        while (const auto* ready = sequencer.take_ready())
          release(*ready);
      } else {
        hold(datagram, now_ns);
      }
    }
    while (const auto* due = sequencer.take_due(now_ns))
      release(*due);
  }
  [[nodiscard]] std::uint64_t passed() const { return passed_; }

 private:
  [[nodiscard]] static Merge merge(bool pace) {
    Merge merge;
    merge.order = Merge::Order::sequence;
    merge.pace = pace;
    return merge;
  }
  void hold(std::span<const std::byte> datagram, std::uint64_t now_ns) {
    Packet packet;
    packet.payload = datagram;
    packet.segment = bytes;
    auto* waiting = room_.put(packet);
    waiting->place = legs_.place();
    legs_.sequencer()->hold(*waiting, now_ns);
  }
  void release(const redundancy::Waiting& waiting) {
    ++passed_;
    buffers_.release(waiting.buffer);
  }

  std::unique_ptr<Ring> ring_ = std::make_unique<Ring>(64, 64);
  Buffers buffers_{*ring_};
  WaitingRoom room_{buffers_};
  redundancy::Legs legs_;
  std::uint64_t passed_ = 0;
};

/// The first leg loses `lost` of a thousand; the second one brings all, 40 ms later.
void merge_sequence(benchmark::State& state, bool pace) {
  Line line(pace);
  Feed feed;
  constexpr std::uint64_t lag = 360;
  const auto lost = static_cast<std::uint64_t>(state.range(0));
  const auto both = [&](std::uint64_t n) {
    if (n * 7919 % 1000 >= lost) line.bring(0, feed.datagram(n), n * apart_ns);
    if (n >= lag) line.bring(1, feed.datagram(n - lag), n * apart_ns);
  };
  std::uint64_t n = 0;
  for (; n < 2 * lag; ++n)
    both(n);
  for (auto _ : state)
    both(n++);
  if (line.passed() + 2 * lag < n) state.SkipWithError("datagrams are missing");
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK_CAPTURE(merge_sequence, at_once, false)->Arg(0)->Arg(30);
BENCHMARK_CAPTURE(merge_sequence, paced, true)->Arg(0);

}  // namespace
