#include "mcr/control/external_drops.hpp"

#include "catch.hpp"

using mcr::DropPlace;
using mcr::ExternalDropCount;
using mcr::ExternalDrops;
using namespace std::chrono_literals;

namespace {

const ExternalDrops::Clock::time_point start = ExternalDrops::Clock::time_point{} + 1h;

std::vector<std::string> report(ExternalDrops& watch, DropPlace place, std::uint64_t frames,
                                std::chrono::seconds after) {
  const std::vector<ExternalDropCount> counts{{"eth0", place, frames}};
  return watch.report(counts, start + after);
}

}  // namespace

TEST_CASE("loss watch: what was lost before we came is not told") {
  ExternalDrops watch;
  CHECK(report(watch, DropPlace::nic, 1'000'000, 0s).empty());
  CHECK(report(watch, DropPlace::nic, 1'000'000, 10s).empty());
  const auto lines = report(watch, DropPlace::nic, 1'000'007, 20s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "frames lost outside the relay: the NIC had no room frames=7 interface=eth0 "
        "do=\"ethtool -G eth0 rx N (ethtool -g eth0 shows the most)\"");
}

TEST_CASE("loss watch: steady loss is told once a minute, all of it") {
  ExternalDrops watch;
  CHECK(report(watch, DropPlace::discipline, 0, 0s).empty());
  CHECK(report(watch, DropPlace::discipline, 5, 10s).size() == 1);
  for (int i = 1; i < 6; ++i)
    CHECK(report(watch, DropPlace::discipline, 5 + std::uint64_t(i) * 100, 10s + i * 10s).empty());
  const auto lines = report(watch, DropPlace::discipline, 605, 70s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("frames=600") != std::string::npos);
  CHECK(report(watch, DropPlace::discipline, 605, 200s).empty());
}

TEST_CASE("loss watch: a counter that starts again is no loss") {
  ExternalDrops watch;
  CHECK(report(watch, DropPlace::driver, 500, 0s).empty());
  CHECK(report(watch, DropPlace::driver, 3, 10s).empty());
  CHECK(report(watch, DropPlace::driver, 4, 20s).size() == 1);
  CHECK(watch.report({}, start + 30s).empty());
  CHECK(report(watch, DropPlace::driver, 900, 400s).empty());
}

TEST_CASE("loss watch: every place has its remedy") {
  for (const auto place : {DropPlace::nic, DropPlace::backlog, DropPlace::socket,
                           DropPlace::discipline, DropPlace::driver}) {
    ExternalDrops watch;
    CHECK(report(watch, place, 0, 0s).empty());
    const auto lines = report(watch, place, 99, 1s);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("do=\"") != std::string::npos);
  }
}
