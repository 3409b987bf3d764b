// The keys `merge`, `failover`, `priority`, `warm` and `standby`.
#include <string>

#include "catch.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/load.hpp"

namespace {

using namespace mcr;

std::string inputs(std::size_t count, const std::string& more = "") {
  std::string text = "inputs = [";
  for (std::size_t i = 0; i < count; ++i)
    text += " { interface = \"e" + std::to_string(i) + "\", group = \"239.1.1.1\", port = 5" +
            more + " },";
  return text + " ]\n";
}

ConfigResult parsed(const std::string& keys, const std::string& from = inputs(2)) {
  return parse_config("[[rule]]\nname = \"a\"\n" + from +
                          "outputs = [ { interface = \"f\", group = \"239.2.2.2\" } ]\n" + keys,
                      "f");
}

Rule good(const std::string& keys, const std::string& from = inputs(2)) {
  const auto result = parsed(keys, from);
  CAPTURE(keys, from);
  REQUIRE(result.errors.empty());
  return result.config.rules.front();
}

/// The one mistake.
std::string mistake(const std::string& keys, const std::string& from = inputs(2)) {
  const auto result = parsed(keys, from);
  CAPTURE(keys, from);
  REQUIRE(result.errors.size() == 1);
  return result.errors.front().str();
}

}  // namespace

TEST_CASE("merge") {
  CHECK_FALSE(good("").merge);
  CHECK(good("merge = { by = \"rtp\", order = \"first\" }").merge == Merge{Merge::By::rtp, {}});
  CHECK(good("merge = { by = \"moldudp64\", order = \"first\" }").merge->by ==
        Merge::By::moldudp64);
  CHECK(good("merge = { by = \"content\", order = \"first\" }").merge->by == Merge::By::content);
  CHECK(
      good("merge = { by = { sequence = { offset = 2, bytes = 4 } }, order = \"first\" }").merge ==
      Merge{Merge::By::sequence, {2, 4, false, 0, 0}});
}

TEST_CASE("merge in sequence") {
  using namespace std::chrono_literals;
  const auto merge = good("merge = { by = \"rtp\", order = \"sequence\" }").merge;
  REQUIRE(merge);
  CHECK(merge->order == Merge::Order::sequence);
  CHECK(merge->window == 50ms);
  CHECK_FALSE(merge->pace);
  const auto other =
      good("merge = { by = \"rtp\", order = \"sequence\", window = \"450ms\", pace = true }").merge;
  CHECK(other->window == 450ms);
  CHECK(other->pace);
  CHECK(merge->same_but_for_waiting(*other));
  CHECK_FALSE(merge == other);
  CHECK_FALSE(
      merge->same_but_for_waiting(*good("merge = { by = \"rtp\", order = \"first\" }").merge));
}

TEST_CASE("failover, and the priorities of inputs") {
  const auto rule = good("failover = { after = \"100ms\", hold = \"5s\", revert = \"manual\" }");
  REQUIRE(rule.failover);
  CHECK(*rule.failover == Failover{std::chrono::milliseconds(100), std::chrono::seconds(5),
                                   Failover::Revert::manual, std::chrono::seconds(1)});
  CHECK(good("failover = {}").failover == Failover{});
  CHECK(rule.inputs[0].priority == 1);
  CHECK(rule.inputs[1].priority == 2);
  CHECK(good("failover = {}", inputs(2, ", priority = 9")).inputs[1].priority == 9);
}

TEST_CASE("inputs that are joined only while they are needed") {
  const auto two = [](const std::string& first, const std::string& second) {
    return "inputs = [ { interface = \"e0\", group = \"239.1.1.1\", port = 5" + first +
           " },\n  { interface = \"e1\", group = \"239.1.1.1\", port = 5" + second + " } ]\n";
  };
  CHECK(good("failover = {}").inputs[1].warm);
  CHECK(good("failover = {}", two("", ", warm = true")).inputs[1].warm);
  CHECK_FALSE(good("failover = {}", two("", ", warm = false")).inputs[1].warm);
  CHECK_FALSE(good("failover = {}", inputs(2, ", priority = 3, warm = false")).inputs[0].warm);
  CHECK_FALSE(good("failover = { revert = \"never\" }", two(", warm = false", "")).inputs[0].warm);
  CHECK(mistake("", two("", ", warm = false")) ==
        "f:4:61: warm: only the inputs of a rule with `failover` have this key");
  CHECK(mistake("merge = { by = \"rtp\", order = \"first\" }", two("", ", warm = true")) ==
        "f:4:61: warm: only the inputs of a rule with `failover` have this key");
  const std::string best =
      "warm: the input with the best priority is always joined, unless `failover` has revert = "
      "\"never\"";
  CHECK(mistake("failover = {}", two(", warm = false", "")) == "f:3:70: " + best);
  CHECK(mistake("failover = {}", two("", ", priority = 0, warm = false")) ==
        "f:4:65: priority: 0 is not from 1 to 255");
  CHECK(mistake("failover = { revert = \"manual\" }",
                two(", priority = 2", ", priority = 1, warm = false")) == "f:4:75: " + best);
  CHECK(mistake("failover = {}", two("", ", warm = false, local = true")) ==
        "f:4:61: warm: only what arrives for a group is joined at all");
}

TEST_CASE("all inputs of a rule with legs have one lane, other rules have none") {
  const auto rule = good("failover = {}");
  CHECK(rule.inputs[0].lane == rule.inputs[1].lane);
  CHECK(rule.inputs[0].lane == lane_of("a"));
  CHECK(good("").inputs[0].lane == 0);
  std::vector<bool> used(limits::lanes);
  for (int i = 0; i < 100; ++i)
    used[lane_of("rule-" + std::to_string(i)) - 1U] = true;
  CHECK(std::ranges::count(used, true) == static_cast<std::ptrdiff_t>(limits::lanes));
}

TEST_CASE("mistakes, each with its position and only once") {
  const std::string first = "merge = { by = \"rtp\", order = \"first\" }\n";
  CHECK(mistake("merge = { by = \"rtp\" }") == "f:5:9: merge: needs `by` and `order`");
  CHECK(mistake("merge = { by = \"rtp\", order = \"last\" }") ==
        "f:5:31: order: \"last\" is none of first, sequence");
  CHECK(mistake("merge = { by = \"content\", order = \"sequence\" }") ==
        "f:5:35: order: by = \"content\" has no numbers; \"first\" is wanted");
  CHECK(mistake("merge = { by = \"rtp\", order = \"sequence\", window = \"0ms\" }") ==
        "f:5:52: window: \"0ms\" is less than 1ms");
  CHECK(mistake("merge = { by = \"rtp\", order = \"sequence\", window = \"3s\" }") ==
        "f:5:52: window: \"3s\" is more than 2s");
  CHECK(mistake("merge = { by = \"rtp\", order = \"first\", pace = true }") ==
        "f:5:47: pace: only for order = \"sequence\"");
  CHECK(mistake("merge = { by = \"ts\", order = \"first\" }") ==
        "f:5:16: by: \"ts\" is none of rtp, moldudp64, content");
  CHECK(mistake("merge = { by = {}, order = \"first\" }") == "f:5:16: by: needs `sequence`");
  CHECK(mistake("merge = 1") == "f:5:9: merge: expected a table, found an integer");
  CHECK(mistake("merge = { by = \"rtp\", order = \"first\", window = \"50ms\" }") ==
        "f:5:49: window: only for order = \"sequence\"");
  CHECK(mistake(first + "failover = {}") == "f:6:12: a rule has `merge` or `failover`, not both");
  CHECK(mistake(first, inputs(1)) == "f:5:9: merge: the rule has 1 input: 2 to 8 are wanted");
  CHECK(mistake("failover = {}", inputs(9)) ==
        "f:5:12: failover: the rule has 9 inputs: 2 to 8 are wanted");
  CHECK(mistake("failover = { after = \"99ms\" }") == "f:5:22: after: \"99ms\" is less than 100ms");
  CHECK(mistake("failover = { after = \"61s\" }") == "f:5:22: after: \"61s\" is more than 60s");
  CHECK(mistake("failover = { revert = \"no\" }") ==
        "f:5:23: revert: \"no\" is none of auto, manual, never");
  CHECK(mistake("failover = { hold = 3 }").find("expected a time") != std::string::npos);
  CHECK(mistake("failover = {}",
                "inputs = [ { interface = \"e\", group = \"239.1.1.1\", port = 5, priority = 0 }, "
                "{ interface = \"e1\", group = \"239.1.1.1\", port = 5 } ]\n") ==
        "f:3:73: priority: 0 is not from 1 to 255");
  CHECK(mistake("",
                "input = { interface = \"e\", group = \"239.1.1.1\", port = 5, priority = 1 }\n") ==
        "f:3:70: priority: only the inputs of a rule with `failover` have one");
  CHECK(mistake(first,
                "inputs = [ { interface = \"e\", group = \"239.1.1.0/31\", port = 5 }, "
                "{ interface = \"e1\", group = \"239.1.1.1\", port = 5 } ]\n") ==
        "f:5:9: merge: each input must have one group and one port, no block of them");
}

TEST_CASE("standby") {
  const auto daemon = [](const std::string& value) {
    return parse_config("[daemon]\nstandby = " + value + "\n", "f");
  };
  CHECK(daemon("\"/run/mcr/standby\"").config.daemon.standby == "/run/mcr/standby");
  CHECK(parse_config("", "f").config.daemon.standby.empty());
  for (const auto* wrong : {"\"standby\"", "\"/run/\"", "\"\"", "true"}) {
    CAPTURE(wrong);
    CHECK(daemon(wrong).errors.size() == 1);
  }
}
