#include "mcr/control/external_drops.hpp"

#include "catch.hpp"

using mcr::LossCount;
using mcr::LossPlace;
using mcr::LossWatch;
using namespace std::chrono_literals;

namespace {

const LossWatch::Clock::time_point start = LossWatch::Clock::time_point{} + 1h;

std::vector<std::string> look(LossWatch& watch, LossPlace place, std::uint64_t frames,
                              std::chrono::seconds after) {
  const std::vector<LossCount> counts{{"eth0", place, frames}};
  return watch.look(counts, start + after);
}

}  // namespace

TEST_CASE("loss watch: what was lost before we came is not told") {
  LossWatch watch;
  CHECK(look(watch, LossPlace::nic, 1'000'000, 0s).empty());
  CHECK(look(watch, LossPlace::nic, 1'000'000, 10s).empty());
  const auto lines = look(watch, LossPlace::nic, 1'000'007, 20s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "frames lost outside the relay: the NIC had no room frames=7 interface=eth0 "
        "do=\"ethtool -G eth0 rx N (ethtool -g eth0 shows the most)\"");
}

TEST_CASE("loss watch: steady loss is told once a minute, all of it") {
  LossWatch watch;
  CHECK(look(watch, LossPlace::discipline, 0, 0s).empty());
  CHECK(look(watch, LossPlace::discipline, 5, 10s).size() == 1);
  for (int i = 1; i < 6; ++i)
    CHECK(look(watch, LossPlace::discipline, 5 + std::uint64_t(i) * 100, 10s + i * 10s).empty());
  const auto lines = look(watch, LossPlace::discipline, 605, 70s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("frames=600") != std::string::npos);
  CHECK(look(watch, LossPlace::discipline, 605, 200s).empty());
}

TEST_CASE("loss watch: a trickle between driver and socket is other protocols") {
  LossWatch watch;
  for (int i = 0; i < 100; ++i)
    CHECK(look(watch, LossPlace::stack, std::uint64_t(i) * (LossWatch::least_of_stack - 1), i * 10s)
              .empty());
  CHECK(look(watch, LossPlace::stack, 10'000, 2000s).size() == 1);
}

TEST_CASE("loss watch: a counter that starts again is no loss") {
  LossWatch watch;
  CHECK(look(watch, LossPlace::driver, 500, 0s).empty());
  CHECK(look(watch, LossPlace::driver, 3, 10s).empty());
  CHECK(look(watch, LossPlace::driver, 4, 20s).size() == 1);
  CHECK(watch.look({}, start + 30s).empty());
  CHECK(look(watch, LossPlace::driver, 900, 400s).empty());
}

TEST_CASE("loss watch: every place has its remedy") {
  for (const auto place : {LossPlace::nic, LossPlace::stack, LossPlace::backlog, LossPlace::socket,
                           LossPlace::discipline, LossPlace::driver}) {
    LossWatch watch;
    CHECK(look(watch, place, 0, 0s).empty());
    const auto lines = look(watch, place, 99, 1s);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("do=\"") != std::string::npos);
  }
}
