// Planning a send: which datagrams leave together.
#include "mcr/packet/gso_batch.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>

namespace {

using namespace mcr;

/// Datagrams of one size, one after the other, until a message is full; then the next one.
void plan_singles(benchmark::State& state) {
  const auto size = static_cast<std::uint32_t>(state.range(0));
  const auto pages = static_cast<std::uint32_t>(state.range(1));
  GsoBatch message;
  std::uint64_t messages = 0;
  for (auto _ : state) {
    Run run{size, size, 1, 1};
    benchmark::DoNotOptimize(run);
    if (!mcr::gso::can_append(message, run, pages)) {
      message = {};
      ++messages;
    }
    mcr::gso::append(message, run);
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["datagrams_a_message"] =
      static_cast<double>(state.iterations()) / static_cast<double>(messages);
}
BENCHMARK(plan_singles)
    ->ArgNames({"bytes", "pages"})
    ->Args({64, gso_limits::pieces})
    ->Args({1400, gso_limits::pieces})
    ->Args({1400, gso_limits::pages});

void plan_superframe(benchmark::State& state) {
  constexpr std::uint32_t segment = 1400;
  for (auto _ : state) {
    auto size = segment;
    benchmark::DoNotOptimize(size);
    const auto datagrams = mcr::gso::datagrams_per_message(size);
    GsoBatch message;
    mcr::gso::append(message, {size, size * datagrams, datagrams, gso_limits::pages});
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations() * mcr::gso::datagrams_per_message(segment));
}
BENCHMARK(plan_superframe);

}  // namespace
