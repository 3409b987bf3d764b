#include "mcr/redundancy/leg.hpp"

#include "catch.hpp"
#include "mcr/base/mapping.hpp"

using namespace mcr;
using mcr::redundancy::Skew;

TEST_CASE("the median and the most of a skew, within a fifth") {
  Mapping<Skew> skew(1);
  for (std::uint64_t us = 1; us <= 1001; ++us)
    skew->add(us, 1);
  CHECK(skew->most_us() == 1001);
  CHECK(skew->median_us() <= 501);
  CHECK(skew->median_us() >= 400);
}

TEST_CASE("a skew is forgotten after two windows") {
  Mapping<Skew> skew(1);
  skew->add(5'000, Skew::window_ns);
  CHECK(skew->median_us() >= 4'000);
  skew->add(1, 2 * Skew::window_ns);
  CHECK(skew->most_us() == 5'000);
  skew->add(1, 3 * Skew::window_ns);
  CHECK(skew->most_us() == 1);
  CHECK(skew->median_us() == 1);
}

TEST_CASE("any skew has a bucket") {
  Mapping<Skew> skew(1);
  for (unsigned bit = 0; bit < 64; ++bit)
    skew->add(std::uint64_t{1} << bit, 1);
  CHECK(skew->median_us() > 0);
  CHECK(skew->most_us() == std::uint64_t{1} << 63U);
}
