#include "mcr/base/log_throttle.hpp"

#include "catch.hpp"
#include "mcr/base/log.hpp"

using mcr::log::Level;
using mcr::log::LogThrottle;
using namespace std::chrono_literals;

namespace {

const LogThrottle::Clock::time_point start{};

}  // namespace

TEST_CASE("throttle: the first is written, the others are counted") {
  LogThrottle throttle;
  CHECK(throttle.admit(Level::error, "join {}", "join a", start));
  for (int i = 0; i < 41; ++i)
    CHECK_FALSE(throttle.admit(Level::error, "join {}", "join a", start + 1s));
  CHECK(throttle.admit(Level::error, "join {}", "join b", start + 1s));
  CHECK(throttle.due(start + 4s).empty());
  const auto lines = throttle.due(start + 6s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].level == Level::error);
  CHECK(lines[0].text == "join a (41 more)");
  CHECK(throttle.due(start + 30s).empty());
  CHECK(throttle.admit(Level::error, "join {}", "join a", start + 7s));
}

TEST_CASE("throttle: many of a kind are counted, with the last") {
  LogThrottle throttle;
  std::size_t written = 0;
  for (std::size_t i = 0; i < 10'000; ++i)
    written += throttle.admit(Level::info, "rule {}", "rule " + std::to_string(i), start);
  CHECK(written == LogThrottle::most_of_a_kind);
  CHECK(throttle.admit(Level::info, "another", "another", start));
  const auto lines = throttle.due(start + 5s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "rule 9999 (9980 more)");
}

TEST_CASE("throttle: beyond the table's capacity everything is written") {
  LogThrottle throttle;
  for (std::size_t i = 0; i < LogThrottle::capacity; ++i)
    CHECK(throttle.admit(Level::info, "kind " + std::to_string(i), "text", start) == (i == 0));
  for (std::size_t i = 0; i < 2 * LogThrottle::capacity; ++i)
    CHECK(throttle.admit(Level::info, "k" + std::to_string(i), "t" + std::to_string(i), start));
  CHECK(throttle.due(start + 5s).size() == 1);
}

TEST_CASE("log: values are one word or quoted") {
  using mcr::log::value;
  CHECK(value("eth0") == "eth0");
  CHECK(value("") == "\"\"");
  CHECK(value("No buffer space") == "\"No buffer space\"");
  CHECK(value("a=\"b\\\n") == "\"a=\\\"b\\\\ \"");
}
