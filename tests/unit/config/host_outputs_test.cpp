// Outputs by the name of a host, as the configuration has them.
#include <fmt/format.h>

#include <string>

#include "catch.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/load.hpp"

namespace {

using namespace mcr;

std::string file(
    const std::string& output, const std::string& more = "",
    const std::string& input = R"(interface = "a", group = "239.1.1.1", port = 5000)") {
  return fmt::format("{}[[rule]]\nname = \"r\"\ninput = {{ {} }}\noutputs = [ {} ]\n", more, input,
                     output);
}

Output good(const std::string& text) {
  const auto result = parse_config(text, "f");
  INFO((result.errors.empty() ? "" : result.errors.front().str()));
  REQUIRE(result.errors.empty());
  return result.config.rules.at(0).outputs.at(0);
}

std::string wrong(const std::string& text) {
  const auto result = parse_config(text, "f");
  INFO(text);
  REQUIRE(result.errors.size() == 1);
  return result.errors.front().message;
}

}  // namespace

TEST_CASE("an output may send to a host by its name") {
  const auto output = good(file(R"({ interface = "b", host = "Pods.Example" })"));
  CHECK(output.host == OutputHost{.name = "pods.example"});
  CHECK_FALSE(output.destination);
  CHECK(output.port == 5000);
  CHECK(output.ttl == Ttl{});
  CHECK(output.destination_str() == "pods.example:5000");
  const auto one =
      good(file(R"({ interface = "b", host = "x_1.y.", port = "6000-6001", addresses = "one" })",
                "", R"(interface = "a", group = "239.1.1.1", port = "5000-5001")"));
  CHECK(one.host == OutputHost{.name = "x_1.y.", .all = false});
  CHECK(one.ports == 2);
  CHECK(one.destination_str() == "x_1.y.:6000-6001");
}

TEST_CASE("a source decides which addresses of a host are meant") {
  const auto family = [](const char* source, const std::string& defaults = "") {
    return good(file(fmt::format(R"({{ interface = "b", host = "x"{} }})", source), defaults))
        .host.family;
  };
  CHECK(family("") == Family::none);
  CHECK(family(R"(, source = "10.0.0.1")") == Family::ipv4);
  CHECK(family(R"(, source = "fd00::1")") == Family::ipv6);
  CHECK(family(R"(, source = "preserve")") == Family::ipv4);
  CHECK(family("", "[defaults]\nsource = \"fd00::1\"\n") == Family::ipv6);
}

TEST_CASE("mistakes of outputs to hosts") {
  CHECK(wrong(file(R"({ interface = "b", host = "10.0.0.1" })")).find("is an address") !=
        std::string::npos);
  for (const auto* name : {"", "a..b", ".", "-a", "a b", "10.1", "a.0x7f", "ä", "a/b", "1"})
    CHECK(wrong(file(fmt::format(R"({{ interface = "b", host = "{}" }})", name)))
              .find("is no name of a host") != std::string::npos);
  CHECK(wrong(file(fmt::format(R"({{ interface = "b", host = "{}.b" }})", std::string(64, 'a'))))
            .find("is no name of a host") != std::string::npos);
  CHECK(wrong(file(R"({ interface = "b", host = "x", group = "239.1.1.2" })")) ==
        "host: the output has a `group` or an `address` already");
  CHECK(wrong(file(R"({ interface = "b", host = "x", address = "10.0.0.1" })")) ==
        "host: the output has a `group` or an `address` already");
  CHECK(wrong(file(R"({ interface = "b", group = "239.1.1.2", addresses = "all" })")) ==
        "addresses: only an output with a `host` has several");
  CHECK(wrong(file(R"({ interface = "b", host = "x", addresses = "two" })")) ==
        "addresses: \"two\" is none of all, one");
  CHECK(wrong(file(R"({ interface = "b", host = "x", loopback = true })")) ==
        "loopback: only outputs to a group can have it");
  CHECK(wrong(file(R"({ interface = "b", host = "x" }, { interface = "b", host = "X" })"))
            .find("the rule already has the output x:5000 on b") != std::string::npos);
  CHECK(wrong("[daemon]\nresolve_every = \"100ms\"\n") ==
        "resolve_every: \"100ms\" is less than 1s");
}

TEST_CASE("different hosts and ports are different outputs") {
  const auto result =
      parse_config(file(R"({ interface = "b", host = "x" }, { interface = "b", host = "y" },
              { interface = "b", host = "x", port = 5001 }, { interface = "c", host = "x" })"),
                   "f");
  CHECK(result.errors.empty());
  CHECK(result.config.rules.at(0).outputs.size() == 4);
}

TEST_CASE("there may be so many hosts, and no more") {
  const auto hosts = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
      text += fmt::format(
          "[[rule]]\ninput = {{ interface = \"a\", group = \"239.1.{}.{}\", port = 5 }}\n"
          "outputs = [ {{ interface = \"b\", host = \"h{}\" }} ]\n",
          i / 256, i % 256, i);
    return text;
  };
  CHECK(parse_config(hosts(limits::hosts), "f").errors.empty());
  CHECK(wrong(hosts(limits::hosts + 1)) == "more than 1024 different hosts in all");
}

TEST_CASE("a host may be what this host sends to, as another rule takes it") {
  const std::string back = R"([[rule]]
name = "back"
input = { interface = "b", address = "10.0.0.9", port = 5000, local = true }
outputs = [ { interface = "a", group = "239.1.1.1", port = 5000 } ]
)";
  const auto circles = [](const std::string& text) {
    const auto result = parse_config(text, "f");
    REQUIRE(result.errors.empty());
    return std::pair(result.config.rules.at(0).circle.number,
                     result.config.rules.at(1).circle.number);
  };
  CHECK(circles(file(R"({ interface = "b", host = "x" })") + back) == std::pair(1U, 1U));
  CHECK(circles(file(R"({ interface = "b", host = "x", port = 5001 })") + back) ==
        std::pair(0U, 0U));
  CHECK(circles(file(R"({ interface = "c", host = "x" })") + back) == std::pair(0U, 0U));
}
