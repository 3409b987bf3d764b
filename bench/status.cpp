// The status for people, from the daemon's JSON.
#include "mcr/status/text.hpp"

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <string>

#include "mcr/packet/drop_reason.hpp"

namespace {

using Json = nlohmann::json;

template <typename Names>
Json no_drops(const Names& names) {
  Json drops;
  for (const auto name : names)
    drops[std::string(name)] = 0;
  return drops;
}

Json rule(std::size_t number) {
  const auto group = "239.1." + std::to_string(number / 250) + "." + std::to_string(number % 250);
  const Json input{
      {"interface", "eth0"}, {"group", group}, {"port", 5000}, {"sources", Json::array()}};
  const Json output{{"interface", "eth1"},
                    {"group", "239.2.2.2"},
                    {"port", 6000},
                    {"state", "up"},
                    {"matched", 1234567},
                    {"tx_datagrams", 1234567},
                    {"tx_bytes", 1728393800},
                    {"in_flight", 0},
                    {"zerocopy", 1234567},
                    {"copied", 0},
                    {"drops", no_drops(mcr::output_drop_names)}};
  return {{"name", "rule-" + std::to_string(number)},
          {"state", "active"},
          {"reason", ""},
          {"input", input},
          {"inputs", Json::array({input})},
          {"rx_datagrams", 1234567},
          {"rx_bytes", 1728393800},
          {"rate_pps", 12345.6},
          {"rate_bps", 138270000.0},
          {"last_seen_s", 0.21},
          {"last_source", "10.0.0.5:4242"},
          {"drops", no_drops(mcr::input_drop_names)},
          {"outputs", Json::array({output})}};
}

Json status(std::size_t rules) {
  Json list = Json::array();
  for (std::size_t i = 0; i < rules; ++i)
    list.push_back(rule(i));
  const Json worker{
      {"id", 0}, {"cpu", 2}, {"rx_datagrams", 5}, {"tx_datagrams", 6}, {"batches", 4}};
  return {{"version", "0"},
          {"pid", 4711},
          {"uptime_s", 7384},
          {"generation", 3},
          {"config", "/etc/mcr/mcr.toml"},
          {"workers", Json::array({worker})},
          {"interfaces", Json::array()},
          {"rules", std::move(list)},
          {"membership",
           {{"joins_attempted", rules},
            {"joins_succeeded", rules},
            {"joins_failed", 0},
            {"leaves", 0},
            {"helper_sockets", 1},
            {"groups", Json::array()}}},
          {"totals",
           {{"rx_datagrams", 2469134},
            {"matched", 2469134},
            {"unmatched", 0},
            {"drops", no_drops(mcr::input_drop_names)},
            {"kernel_drops", 0},
            {"tx_datagrams", 2469134},
            {"tx_drops", no_drops(mcr::output_drop_names)}}}};
}

void render_status_text(benchmark::State& state) {
  const auto report = status(static_cast<std::size_t>(state.range(0)));
  std::size_t length = 0;
  for (auto _ : state) {
    const auto text = mcr::render_status(report, 100);
    length = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(length);
}
BENCHMARK(render_status_text)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

/// What `mcr status --json` costs after the figures are collected.
void dump_status_json(benchmark::State& state) {
  const auto report = status(static_cast<std::size_t>(state.range(0)));
  std::size_t length = 0;
  for (auto _ : state) {
    const auto text = report.dump();
    length = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(length);
}
BENCHMARK(dump_status_json)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
