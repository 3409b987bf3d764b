// Merging: what it costs beside a plain rule. 1400 B of RTP by two legs; frames come in batches, as
// a worker gets them: their headers are written, and then all of a batch are judged at one time.
//
// `each` is the time of one datagram received, by whichever leg; of two one goes on. What merging
// adds is it less that of merge_none: the same datagrams made in the same way, of which only the
// first bytes are read, as the parser does for any rule. Sending is in neither.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <vector>

#include "mcr/dataplane/waiting_room.hpp"
#include "mcr/redundancy/legs.hpp"

namespace {

using namespace mcr;

constexpr std::size_t bytes = 1400;
constexpr std::size_t datagrams = 1024;  // of a leg in memory: more than a core's own caches hold
constexpr std::uint64_t batch = 64;
constexpr std::uint64_t apart_ns = 112'000;  // 100 Mbit/s

/// The datagrams of one leg.
class Feed {
 public:
  /// The batch from number `first` on is there.
  void receive(std::uint64_t first) {
    for (auto n = first; n != first + batch; ++n) {
      auto* at = memory_.data() + n % datagrams * bytes;
      at[0] = std::byte{0x80};
      at[1] = std::byte{96};
      at[2] = static_cast<std::byte>(n >> 8U);
      at[3] = static_cast<std::byte>(n);
    }
  }
  /// Number `n` of the stream.
  [[nodiscard]] std::span<const std::byte> datagram(std::uint64_t n) const {
    return {memory_.data() + n % datagrams * bytes, bytes};
  }

 private:
  std::vector<std::byte> memory_ = std::vector<std::byte>(datagrams * bytes, std::byte{7});
};

/// Calls `bring(leg, number, datagram, now_ns)` for what both legs bring, the second one `lag`
/// numbers later, and `end(now_ns)` after each batch.
void bring_all(benchmark::State& state, std::uint64_t lag, const auto& bring, const auto& end) {
  Feed first;
  Feed second;
  std::uint64_t n = 0;
  const auto bring_batch = [&] {
    const auto now_ns = n * apart_ns;
    first.receive(n);
    if (n >= lag) second.receive(n - lag);
    for (auto each = n; each != n + batch; ++each) {
      bring(0, each, first.datagram(each), now_ns);
      if (n >= lag) bring(1, each - lag, second.datagram(each - lag), now_ns);
    }
    end(now_ns);
    n += batch;
  };
  while (n < 2 * lag)
    bring_batch();
  for (auto _ : state)
    bring_batch();
  state.SetItemsProcessed(static_cast<std::int64_t>(2 * batch) * state.iterations());
  state.counters["each"] = benchmark::Counter(
      static_cast<double>(2 * batch),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

constexpr auto no_end = [](std::uint64_t) {};

void merge_none(benchmark::State& state) {
  bring_all(
      state, static_cast<std::uint64_t>(state.range(0)),
      [](std::size_t, std::uint64_t, std::span<const std::byte> datagram, std::uint64_t) {
        benchmark::DoNotOptimize(*datagram.data());
      },
      no_end);
}
BENCHMARK(merge_none)->Arg(0)->Arg(384);

/// Both legs bring each datagram, the second one `lag` numbers later.
void merge_first(benchmark::State& state, Merge::By by) {
  Merge merge;
  merge.by = by;
  redundancy::Legs legs{merge};
  std::uint64_t wrong = 0;
  bring_all(
      state, static_cast<std::uint64_t>(state.range(0)),
      [&](std::size_t leg, std::uint64_t, std::span<const std::byte> datagram,
          std::uint64_t now_ns) {
        wrong += std::uint64_t{legs.judge(leg, datagram, now_ns).has_value() != (leg == 1)};
      },
      no_end);
  if (wrong != 0) state.SkipWithError("wrong answer");
}
BENCHMARK_CAPTURE(merge_first, rtp, Merge::By::rtp)->Arg(0)->Arg(384);
BENCHMARK_CAPTURE(merge_first, content, Merge::By::content)->Arg(384);

/// A worker with a datagram that goes on, and with those that wait.
class Line {
 public:
  explicit Line(bool pace) : legs_(merge(pace)) { ring_->enable(); }

  void bring(std::size_t leg, std::span<const std::byte> datagram, std::uint64_t now_ns) {
    auto& sequencer = *legs_.sequencer();
    if (legs_.judge(leg, datagram, now_ns)) return;
    const auto place = legs_.place();
    if (!sequencer.is_next(place)) return hold(datagram, now_ns);
    ++passed_;
    sequencer.pass(place);
    while (const auto* ready = sequencer.take_ready())
      release(*ready);
  }
  void end_batch(std::uint64_t now_ns) {
    while (const auto* due = legs_.sequencer()->take_due(now_ns))
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

/// The first leg loses `lost` of a thousand; the second one brings all, 43 ms later. So what waits
/// is copied, and most waits.
void merge_sequence(benchmark::State& state, bool pace) {
  Line line(pace);
  constexpr std::uint64_t lag = 384;
  const auto lost = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t n = 0;
  bring_all(
      state, lag,
      [&](std::size_t leg, std::uint64_t number, std::span<const std::byte> datagram,
          std::uint64_t now_ns) {
        n = std::max(n, number);
        if (leg == 1 || number * 7919 % 1000 >= lost) line.bring(leg, datagram, now_ns);
      },
      [&](std::uint64_t now_ns) { line.end_batch(now_ns); });
  if (line.passed() + 3 * lag < n) state.SkipWithError("datagrams are missing");
}
BENCHMARK_CAPTURE(merge_sequence, at_once, false)->Arg(0)->Arg(30);
BENCHMARK_CAPTURE(merge_sequence, paced, true)->Arg(0);

}  // namespace
