#include "mcr/control/loop_watch.hpp"

#include <random>
#include <vector>

#include "catch.hpp"

using namespace mcr;

namespace {

const Endpoint one{IpAddress::v4(0xEF010101), 5000};
const Endpoint other{IpAddress::v4(0xEF010101), 5001};

/// So many of these different datagrams, drawn by chance as a sample draws them.
void draw(std::vector<SampledDatagram>& sample, const Endpoint& to, std::uint64_t different,
          unsigned count) {
  std::mt19937_64 random(different);
  for (unsigned n = 0; n < count; ++n)
    sample.emplace_back(to, random() % different);
}

}  // namespace

TEST_CASE("loop watch: what comes again and again, however many different ones") {
  for (const std::uint64_t different : {1U, 2U, 7U, 50U, 1000U, 5000U}) {
    INFO(different << " different ones");
    std::vector<SampledDatagram> sample;
    draw(sample, other, different, 1000);
    CHECK(find_repeated(sample, LoopWatch::storm) == std::vector{other});
    const bool one_alone = different == 1;  // below, the order of several must stay
    CHECK(find_repeated(sample, LoopWatch::storm - 1).size() == (one_alone ? 1 : 0));
  }
  std::vector<SampledDatagram> both;
  for (std::uint64_t n = 0; n < 600; ++n) {
    both.emplace_back(one, n);  // a stream
    both.emplace_back(other, n % 300);
  }
  CHECK(find_repeated(both, LoopWatch::storm) == std::vector{other});
}

TEST_CASE("loop watch: what is no ring") {
  std::vector<SampledDatagram> sample;
  CHECK(find_repeated(sample, LoopWatch::storm).empty());
  draw(sample, one, 1, LoopWatch::repeats);
  CHECK(find_repeated(sample, LoopWatch::storm).empty());  // too few

  sample.clear();
  for (std::uint64_t n = 0; n < 1000; ++n)
    sample.insert(sample.end(), 2, {one, n});  // doubled on its way
  CHECK(find_repeated(sample, LoopWatch::storm).empty());

  sample.clear();
  for (std::uint64_t n = 0; n < 1000; ++n)
    sample.emplace_back(one, n % 10 < 7 ? 7777 + n % 7 : 100'000 + n);  // padded: seven are alike
  CHECK(find_repeated(sample, LoopWatch::storm).empty());
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
