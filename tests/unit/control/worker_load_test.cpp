#include "mcr/control/worker_load.hpp"

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

TEST_CASE("worker load: the share is of the time between two samples") {
  WorkerLoad load;
  const WorkerLoad::Clock::time_point start{10s};
  CHECK(load.share() == 0);
  CHECK_FALSE(load.last_cpu());
  load.sample(ThreadUsage{5000ms, 1}, start);
  CHECK(load.share() == 0);
  load.sample(ThreadUsage{5250ms, 3}, start + 1s);
  CHECK(load.share() == 0.25);
  CHECK(load.last_cpu() == 3U);
  load.sample(ThreadUsage{5260ms, 2}, start + 1100ms);  // too soon after the one before
  CHECK(load.share() == 0.25);
  load.sample(ThreadUsage{7300ms, 2}, start + 3s);  // ticks round up
  CHECK(load.share() == 1);
}

TEST_CASE("worker load: without /proc nothing is known") {
  WorkerLoad load;
  load.sample(std::nullopt, WorkerLoad::Clock::time_point{1s});
  load.sample(std::nullopt, WorkerLoad::Clock::time_point{2s});
  CHECK(load.share() == 0);
  CHECK_FALSE(load.last_cpu());
}
