// The key `inspect`.
#include "mcr/config/load.hpp"

#include <string>

#include "catch.hpp"

namespace {

using namespace mcr;

ConfigResult parsed(const std::string& inspect) {
  return parse_config(
      "[[rule]]\nname = \"a\"\ninput = { interface = \"e\", group = \"239.1.1.1\", port = 5 }\n"
      "outputs = [ { interface = \"f\" } ]\n" +
          inspect,
      "f");
}

std::optional<Inspection> good(const std::string& inspect) {
  const auto result = parsed(inspect);
  INFO(inspect);
  REQUIRE(result.errors.empty());
  return result.config.rules.front().inspect;
}

}  // namespace

TEST_CASE("inspect takes a word") {
  CHECK_FALSE(good(""));
  CHECK_FALSE(good("inspect = \"none\""));
  CHECK(good("inspect = \"auto\"")->kind == Inspection::Kind::automatic);
  CHECK(good("inspect = \"rtp\"")->kind == Inspection::Kind::rtp);
  CHECK(good("inspect = \"ts\"")->kind == Inspection::Kind::ts);
  CHECK(good("inspect = \"moldudp64\"")->kind == Inspection::Kind::moldudp64);
}

TEST_CASE("inspect takes the place of a number") {
  CHECK(good("inspect = { sequence = { bytes = 4 } }") ==
        Inspection{Inspection::Kind::sequence, {0, 4, false, 0, 0}});
  CHECK(good("inspect = { sequence = { offset = 10, bytes = 8, order = \"little\", "
             "step = { offset = 18, bytes = 2 } } }") ==
        Inspection{Inspection::Kind::sequence, {10, 8, true, 18, 2}});
}

TEST_CASE("what inspect does not take is refused, once") {
  for (const auto* wrong :
       {"inspect = \"mpeg\"", "inspect = 1", "inspect = {}", "inspect = { sequence = {} }",
        "inspect = { sequence = { bytes = 3 } }", "inspect = { sequence = { bytes = 9 } }",
        "inspect = { sequence = { bytes = 4, order = \"middle\" } }",
        "inspect = { sequence = { bytes = 4, offset = 70000 } }",
        "inspect = { sequence = { bytes = 4, step = {} } }",
        "inspect = { sequence = { bytes = 4, step = { bytes = 8 } } }",
        "inspect = { series = 1 }"}) {
    CAPTURE(wrong);
    CHECK(parsed(wrong).errors.size() == 1);
  }
}
