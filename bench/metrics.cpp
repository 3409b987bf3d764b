// What a scrape by Prometheus costs the control thread, after the totals are collected.
#include "mcr/status/metrics.hpp"

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

void render_metrics(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i)
    names.push_back("rule-" + std::to_string(i));
  std::vector<mcr::RuleMetrics> rules;
  for (const auto& name : names)
    rules.push_back({name,
                     mcr::RuleState::active,
                     {1234567, 1728393800, {}},
                     {{"eth1", {*mcr::IpAddress::parse("239.2.2.2"), 6000}, true, {}}}});
  std::size_t length = 0;
  for (auto _ : state) {
    const auto text = mcr::render_metrics(nlohmann::json::object(), rules);
    length = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(length);
}
BENCHMARK(render_metrics)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
