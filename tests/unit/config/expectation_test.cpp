// The key `expect`.
#include "mcr/config/expectation.hpp"

#include <string>

#include "catch.hpp"
#include "mcr/config/load.hpp"

namespace {

using namespace mcr;
using namespace std::chrono_literals;

/// `lines` stand at line 2.
ConfigResult parsed(const std::string& lines) {
  return parse_config(
      "[[rule]]\n" + lines +
          "\nname = \"a\"\ninput = { interface = \"e\", group = \"239.1.1.1\", port "
          "= 5 }\noutputs = [ { interface = \"f\" } ]\n",
      "f");
}

Expectation good(const std::string& lines) {
  const auto result = parsed(lines);
  INFO(lines);
  REQUIRE(result.errors.empty());
  return result.config.rules.front().expect.value();
}

}  // namespace

TEST_CASE("expect takes what must be true of a stream") {
  CHECK(good("expect = { max_loss = \"0.1%\" }\ninspect = \"auto\"").max_loss_ppm == 1000U);
  const auto expect = good(
      "expect = { min_pps = 100, max_loss = \"0.1%\", max_cc_errors = 0, min_bps = \"15 Mbit\","
      " max_bps = 25000000, pids = [257, 0, 8190], within = \"30s\" }\ninspect = \"ts\"");
  CHECK(expect == Expectation{.min_pps = 100,
                              .silent_after = 2s,
                              .max_loss_ppm = 1000,
                              .max_cc_errors = 0,
                              .min_bps = 15'000'000,
                              .max_bps = 25'000'000,
                              .pids = {0, 257, 8190},
                              .within = 30s});
  CHECK(expect.judges_quality());
  CHECK_FALSE(good("expect = { min_pps = 5 }").judges_quality());
  CHECK(good("expect = { min_bps = 5 }") == Expectation{.min_bps = 5});
}

TEST_CASE("expect: a percentage has up to four digits after the point") {
  for (const auto& [text, millionths] : {std::pair("0%", 0U),
                                         {"100%", 1'000'000U},
                                         {"12 %", 120'000U},
                                         {"0.0001%", 1U},
                                         {"3.25%", 32'500U}}) {
    CAPTURE(text);
    const auto expect =
        good("expect = { max_loss = \"" + std::string(text) + "\" }\ninspect = \"rtp\"");
    CHECK(expect.max_loss_ppm == millionths);
  }
  for (const auto* text : {"", "%", "0.1", ".5%", "1.%", "0.00001%", "101%", "1e2%", "-1%",
                           "1.2.3%", "1000%", " 1%", "1%%"}) {
    CAPTURE(text);
    const auto result =
        parsed("expect = { max_loss = \"" + std::string(text) + "\" }\ninspect = \"rtp\"");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].str().starts_with("f:2:23: max_loss: "));
  }
}

TEST_CASE("expect: what cannot be is refused, at its place") {
  const std::string inspected = "\ninspect = \"auto\"";
  const std::string numbered = "\ninspect = { sequence = { bytes = 4 } }";
  const std::pair<std::string, std::string> table[] = {
      {"expect = { max_loss = \"1%\" }", "f:2:23: max_loss: needs `inspect` in this rule"},
      {"expect = { max_loss = \"1%\" }\ninspect = \"none\"",
       "f:2:23: max_loss: needs `inspect` in this rule"},
      {"expect = { max_cc_errors = 1 }", "f:2:28: max_cc_errors: needs `inspect` in this rule"},
      {"expect = { pids = [1] }", "f:2:19: pids: needs `inspect` in this rule"},
      {"expect = { pids = [1] }" + numbered,
       "f:2:19: pids: needs an `inspect` that finds MPEG-TS: \"auto\", \"ts\" or \"rtp\""},
      {"expect = { max_cc_errors = 1 }\ninspect = \"moldudp64\"",
       "f:2:28: max_cc_errors: needs an `inspect` that finds MPEG-TS: \"auto\", \"ts\" or \"rtp\""},
      {"expect = { max_loss = \"1%\" }\ninspect = \"mpeg\"", "inspect: \"mpeg\" is none of"},
      {"expect = { min_bps = 9, max_bps = 8 }", "f:2:22: min_bps: is more than max_bps"},
      {"expect = { within = \"5s\" }", "f:2:21: within: needs one of `max_loss`"},
      {"expect = { within = \"5s\", min_pps = 1 }", "f:2:21: within: needs one of `max_loss`"},
      {"expect = { min_bps = 1, within = \"500ms\" }", "within: \"500ms\" is less than 1s"},
      {"expect = { min_bps = 1, within = \"3601s\" }", "within: \"3601s\" is more than 3600s"},
      {"expect = { pids = [] }" + inspected, "f:2:19: pids: is empty"},
      {"expect = { pids = [8191] }" + inspected, "pids: 8191 is not from 0 to 8190"},
      {"expect = { pids = [7, 7] }" + inspected, "f:2:23: pids: PID 7 is named twice"},
      {"expect = { pids = 7 }" + inspected, "pids: expected an array of PIDs, found an integer"},
      {"expect = { max_cc_errors = -1 }" + inspected, "max_cc_errors: -1 is not from 0 to"},
      {"expect = { max_los = \"1%\" }" + inspected, "did you mean \"max_loss\"?"},
  };
  for (const auto& [lines, message] : table) {
    CAPTURE(lines);
    const auto result = parsed(lines);
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].str().find(message) != std::string::npos);
  }
}
