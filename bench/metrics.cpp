// The cost of a scrape by Prometheus to the control thread, after the figures are collected.
#include "mcr/status/metrics.hpp"

#include <benchmark/benchmark.h>

#include <string>

#include "status/status_builder.hpp"

namespace {

void render_metrics(benchmark::State& state) {
  mcr::Status status;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    status.rules.push_back(mcr::healthy_rule("rule-" + std::to_string(i), "239.1.1.1"));
  std::size_t length = 0;
  for (auto _ : state) {
    const auto text = mcr::status::render_metrics(status);
    length = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(length);
}
BENCHMARK(render_metrics)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
