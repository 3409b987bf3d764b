// The published rule table: what reading costs a worker, and publishing costs control.
#include "mcr/base/rcu.hpp"

#include <benchmark/benchmark.h>

#include <memory>

namespace {

using namespace mcr;

struct Value {
  int number = 0;
};

/// Once per batch of packets, by one worker.
void snapshot_read(benchmark::State& state) {
  RcuPointer<Value> snapshot(std::make_unique<const Value>(), 1);
  RcuPointer<Value>::Reader reader(snapshot, 0);
  reader.online();
  for (auto _ : state) {
    benchmark::DoNotOptimize(reader.current().number);
    reader.quiescent();
  }
  reader.offline();
}
BENCHMARK(snapshot_read);

/// Around a sleep.
void snapshot_online_offline(benchmark::State& state) {
  RcuPointer<Value> snapshot(std::make_unique<const Value>(), 1);
  RcuPointer<Value>::Reader reader(snapshot, 0);
  for (auto _ : state) {
    reader.online();
    benchmark::DoNotOptimize(reader.current().number);
    reader.offline();
  }
}
BENCHMARK(snapshot_online_offline);

/// With readers asleep: the writer's own part of a reload.
void snapshot_publish(benchmark::State& state) {
  RcuPointer<Value> snapshot(std::make_unique<const Value>(),
                             static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    snapshot.publish(std::make_unique<const Value>());
    if (!snapshot.reclaim()) state.SkipWithError("a sleeping reader was waited for");
  }
}
BENCHMARK(snapshot_publish)->ArgName("readers")->Arg(1)->Arg(64);

}  // namespace
