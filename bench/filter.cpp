// The kernel filter: compiling 10,000 destinations, whole (which is shortened to the kernel's most)
// and into what Linux 6.1 takes.
#include "mcr/packet/filter.hpp"

#include <benchmark/benchmark.h>

#include "build.hpp"

namespace {

using namespace mcr;

void compile_filter_program(benchmark::State& state) {
  std::vector<FilterDestination> destinations;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    destinations.push_back(bench::destination(static_cast<std::size_t>(i)));
  std::size_t length = 0;
  for (auto _ : state) {
    const auto program = compile_filter(destinations, RxKey{}, link_header::ethernet,
                                        static_cast<std::size_t>(state.range(1)));
    length = program.size();
    benchmark::DoNotOptimize(program.data());
  }
  state.counters["instructions"] = static_cast<double>(length);
}
BENCHMARK(compile_filter_program)
    ->ArgNames({"destinations", "limit"})
    ->Args({100, 4096})
    ->Args({10'000, 4096})
    ->Args({10'000, 624})
    ->Unit(benchmark::kMillisecond);

}  // namespace
