// Inspection alone, for each datagram of a rule that asks for it; beside it the same loop without
// it. What it costs within the packet loop is told by forward_media (dataplane.cpp).
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "mcr/rules/stream_inspection.hpp"
#include "media.hpp"

namespace {

using namespace mcr;

/// A datagram of each stream in turn; each is an inspection of its own, as of a rule.
void inspect(benchmark::State& state, const bench::Media& media, bool inspected) {
  const auto streams = static_cast<std::size_t>(state.range(0));
  std::vector<std::unique_ptr<const StreamInspection>> inspections;
  for (std::size_t i = 0; i < streams; ++i)
    inspections.push_back(std::make_unique<const StreamInspection>(Inspection{}, 1, i));
  const Endpoint source{IpAddress::v4(0x0A000001U), 5000};
  auto datagram = media.datagram();
  const auto bytes = std::as_writable_bytes(std::span(datagram));
  stream::Arrival arrival{source, bytes, static_cast<std::uint32_t>(bytes.size()), 1, 0};
  std::size_t at = 0;
  std::uint64_t number = 0;
  for (auto _ : state) {
    media.stamp(bytes.data(), number);
    arrival.now_ns += bench::apart_ns / streams;
    benchmark::DoNotOptimize(arrival);
    if (inspected) inspections[at]->inspectors().inspect(0, arrival);
    if (++at != streams) continue;
    at = 0;
    ++number;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(inspect, rtp, bench::rtp, true)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(inspect, rtp_not, bench::rtp, false)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(inspect, ts, bench::ts, true)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(inspect, ts_not, bench::ts, false)->Arg(1)->Arg(1000);

}  // namespace
