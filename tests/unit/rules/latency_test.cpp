#include "mcr/rules/latency.hpp"

#include <memory>

#include "catch.hpp"

using mcr::Latency;
using mcr::LatencyCounters;

TEST_CASE("latency: a bucket has what its bound allows, and the last one the rest") {
  CHECK(Latency::bucket_of(0) == 0);
  for (std::size_t bucket = 0; bucket + 1 < Latency::buckets; ++bucket) {
    CHECK(Latency::bucket_of(Latency::bound_ns(bucket)) == bucket);
    CHECK(Latency::bucket_of(Latency::bound_ns(bucket) + 1) == bucket + 1);
  }
  CHECK(Latency::bucket_of(~std::uint64_t{0} - 1000) == Latency::buckets - 1);
}

TEST_CASE("latency: quantiles are bounds of buckets") {
  LatencyCounters counters;
  Latency sum;
  counters.add_to(sum);
  CHECK(sum.quantile_ns(0.5) == 0);
  for (int i = 0; i < 98; ++i)
    counters.add(1500);
  counters.add(70'000);
  counters.add(5'000'000'000);
  counters.add_to(sum);
  CHECK(sum.samples() == 100);
  CHECK(sum.sum_ns == 98 * 1500 + 70'000 + 5'000'000'000);
  CHECK(sum.quantile_ns(0.5) == 2000);
  CHECK(sum.quantile_ns(0.99) == 128'000);
  CHECK(sum.quantile_ns(1) == Latency::bound_ns(Latency::buckets - 2));
  counters.add_to(sum);
  CHECK(sum.samples() == 200);
  counters.clear();
  sum = {};
  counters.add_to(sum);
  CHECK(sum == Latency{});
}
