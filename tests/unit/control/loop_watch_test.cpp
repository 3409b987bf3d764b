#include "mcr/control/loop_watch.hpp"

#include <utility>
#include <vector>

#include "catch.hpp"

using namespace mcr;

TEST_CASE("loop watch: the same datagram again and again, and what is none") {
  const Endpoint one{IpAddress::v4(0xEF010101), 5000};
  const Endpoint other{IpAddress::v4(0xEF010101), 5001};
  std::vector<std::pair<Endpoint, std::uint64_t>> sample;
  CHECK(find_repeated(sample).empty());
  for (std::uint64_t n = 0; n < 1000; ++n)
    sample.emplace_back(one, n);  // a stream
  for (unsigned n = 1; n < LoopWatch::repeats; ++n)
    sample.emplace_back(n % 2 == 0 ? one : other, 7777);
  CHECK(find_repeated(sample).empty());
  for (unsigned n = 0; n < 4 * LoopWatch::repeats; ++n)
    sample.emplace_back(other, 8888);
  CHECK(find_repeated(sample) == std::vector{other});
  for (unsigned n = 0; n < 4 * LoopWatch::repeats; ++n)
    sample.emplace_back(other, n);  // a stream that is padded with what is alike
  CHECK(find_repeated(sample).empty());
}

TEST_CASE("loop watch: a rule that nobody suspects keeps the circle that it has") {
  std::vector<Rule> rules(2);
  rules[0].circle.number = 3;
  rules[1].circle = {1U << 31U, true};  // of an earlier suspicion
  LoopWatch().mark(rules);
  CHECK(rules[0].circle.number == 3);
  CHECK(rules[1].circle.number == 0);
  CHECK_FALSE(rules[1].circle.probed);
}
