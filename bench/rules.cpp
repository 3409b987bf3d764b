// The rule table: looking a destination up, and compiling the table; a sample of latency.
#include "mcr/rules/compiler.hpp"

#include <benchmark/benchmark.h>

#include "build.hpp"
#include "mcr/rules/latency.hpp"

namespace {

using namespace mcr;

/// Destinations in another order than the table's, so that the caches are not flattered.
std::vector<Endpoint> asked(std::size_t rules, std::size_t first) {
  constexpr std::size_t count = 4096;
  std::vector<Endpoint> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(bench::destination(first + i * 7919 % rules));
  return result;
}

void look_up(benchmark::State& state, const RuleTable& table, const std::vector<Endpoint>& where,
             bool found) {
  std::size_t at = 0;
  for (auto _ : state) {
    const auto entries = table.lookup(0, where[at]);
    if (entries.empty() == found) state.SkipWithError("wrong answer");
    benchmark::DoNotOptimize(entries.data());
    at = (at + 1) % where.size();
  }
  state.SetItemsProcessed(state.iterations());
}

void lookup_hit(benchmark::State& state) {
  const auto rules = static_cast<std::size_t>(state.range(0));
  look_up(state, bench::table(rules), asked(rules, 0), true);
}
BENCHMARK(lookup_hit)->Arg(1)->Arg(100)->Arg(10'000);

void lookup_miss(benchmark::State& state) {
  const auto rules = static_cast<std::size_t>(state.range(0));
  look_up(state, bench::table(rules), asked(rules, limits::rules), false);
}
BENCHMARK(lookup_miss)->Arg(1)->Arg(100)->Arg(10'000);

void compile_table(benchmark::State& state) {
  const auto rules = bench::rules(static_cast<std::size_t>(state.range(0)));
  const auto interfaces = two_interfaces();
  const auto statuses = bench::judged(rules, interfaces);
  for (auto _ : state) {
    SlotAllocators allocators;
    const auto table = compile_table(rules, interfaces, statuses, allocators, 1);
    benchmark::DoNotOptimize(table.generation());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(compile_table)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

/// A reload: the books know every rule already.
void recompile_table(benchmark::State& state) {
  const auto rules = bench::rules(static_cast<std::size_t>(state.range(0)));
  const auto interfaces = two_interfaces();
  SlotAllocators allocators;
  for (auto _ : state) {
    const auto statuses = bench::judged(rules, interfaces);
    const auto table = compile_table(rules, interfaces, statuses, allocators, 1);
    benchmark::DoNotOptimize(table.generation());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(recompile_table)->Arg(10'000)->Unit(benchmark::kMillisecond);

/// One in 64 frames of an inspected rule is timed, which is this.
void latency_sample(benchmark::State& state) {
  std::vector<std::uint64_t> times;
  for (std::uint64_t i = 0; i < 1024; ++i)
    times.push_back(1000 + i * 7919 % 500'000);  // ns, as they come from batch to batch
  LatencyCounters counters;
  std::size_t at = 0;
  for (auto _ : state) {
    counters.add(times[at]);
    at = (at + 1) % times.size();
  }
  Latency sum;
  counters.add_to(sum);
  benchmark::DoNotOptimize(sum.samples());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(latency_sample);

}  // namespace
