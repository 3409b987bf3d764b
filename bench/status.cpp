// The status for people and as JSON, from a Status of many rules.
#include "mcr/status/status.hpp"

#include <benchmark/benchmark.h>

#include <string>

#include "mcr/status/json.hpp"
#include "mcr/status/text.hpp"
#include "status/status_builder.hpp"

namespace {

mcr::Status status(std::int64_t rules) {
  auto result = mcr::healthy();
  result.rules.clear();
  for (std::int64_t i = 0; i < rules; ++i) {
    const auto group = "239.1." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    result.rules.push_back(mcr::healthy_rule("rule-" + std::to_string(i), group));
  }
  return result;
}

void measure(benchmark::State& state, auto&& text_of) {
  const auto report = status(state.range(0));
  std::size_t length = 0;
  for (auto _ : state) {
    const auto text = text_of(report);
    length = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(length);
}

void render_status_text(benchmark::State& state) {
  measure(state, [](const mcr::Status& report) { return mcr::status::render_status(report, 100); });
}
BENCHMARK(render_status_text)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

/// The cost of `mcr status --json` after the figures are collected.
void dump_status_json(benchmark::State& state) {
  measure(state, [](const mcr::Status& report) { return mcr::status::to_text(report); });
}
BENCHMARK(dump_status_json)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
