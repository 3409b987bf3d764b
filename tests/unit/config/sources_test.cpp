#include "mcr/config/sources.hpp"

#include <fmt/format.h>

#include "catch.hpp"
#include "mcr/config/load.hpp"

using namespace mcr;

namespace {

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

std::string rule(std::string_view name, std::string_view sources,
                 std::string_view output = R"(interface = "e1", group = "239.9.9.9")") {
  return fmt::format(
      "[[rule]]\nname = \"{}\"\ninput = {{ interface = \"e0\", group = \"239.1.1.1\", port = 5, "
      "sources = [{}] }}\noutputs = [{{ {} }}]\n",
      name, sources, output);
}

std::vector<SourceRange> ranges_of(std::string_view sources) {
  const auto result = parse_config(rule("a", sources), "f");
  REQUIRE(result.errors.empty());
  return source_ranges(result.config.rules[0].inputs[0]);
}

std::string mistake(const std::string& text) {
  const auto result = parse_config(text, "f");
  return result.errors.empty() ? "" : result.errors[0].message;
}

}  // namespace

TEST_CASE("sources: an exclusion cuts a hole") {
  CHECK(ranges_of(R"("10.0.0.5", "10.0.1.0/24")") ==
        std::vector<SourceRange>{{ip("10.0.0.5"), ip("10.0.0.5")},
                                 {ip("10.0.1.0"), ip("10.0.1.255")}});
  CHECK(ranges_of(R"("!10.0.0.5", "!10.9.0.0/16")") ==
        std::vector<SourceRange>{{ip("0.0.0.0"), ip("10.0.0.4")},
                                 {ip("10.0.0.6"), ip("10.8.255.255")},
                                 {ip("10.10.0.0"), ip("255.255.255.255")}});
  CHECK(ranges_of(R"("!0.0.0.0/1", "!255.255.255.0/24")") ==
        std::vector<SourceRange>{{ip("128.0.0.0"), ip("255.255.254.255")}});
  CHECK(ranges_of(R"("10.1.0.0/16", "10.2.0.0/16", "!10.1.0.0/17", "!10.2.0.0", "!10.2.0.1")") ==
        std::vector<SourceRange>{{ip("10.1.128.0"), ip("10.1.255.255")},
                                 {ip("10.2.0.2"), ip("10.2.255.255")}});
}

TEST_CASE("sources: IPv6 has the same holes") {
  Input input;
  input.excluded = {ip("2001:db8::"), Prefix(ip("fd00::"), 8)};
  CHECK(source_ranges(input) ==
        std::vector<SourceRange>{{ip("::"), ip("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff")},
                                 {ip("2001:db8::1"), ip("fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")},
                                 {ip("fe00::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}});
  CHECK(source_texts(input) == std::vector<std::string>{"!2001:db8::", "!fd00::/8"});
}

TEST_CASE("sources: without any every sender is taken") {
  CHECK(source_ranges(Input()).empty());
}

TEST_CASE("sources: an exclusion that means nothing is refused") {
  const auto refused = [](std::string_view sources) { return mistake(rule("a", sources)); };
  CHECK(refused(R"("!")") == "sources: \"\" is not an IP address");
  CHECK(refused(R"("!!10.0.0.1")") == "sources: \"!10.0.0.1\" is not an IP address");
  CHECK(refused(R"("!10.1.0.5/24")").find("did you mean \"10.1.0.0/24\"?") != std::string::npos);
  CHECK(refused(R"("!10.0.0.1", "!10.0.0.1")") == "sources: 10.0.0.1 is named twice");
  CHECK(refused(R"("!10.0.0.0/8", "!10.1.0.1")") == "sources: 10.0.0.0/8 and 10.1.0.1 overlap");
  for (const auto* sources : {R"("10.0.0.1", "!10.0.0.2")", R"("10.0.0.2", "!10.0.0.2")",
                              R"("10.0.0.1", "!10.0.0.2/31")"})
    CHECK(refused(sources).ends_with("is not part of one of the other sources"));
  CHECK(refused(R"("10.0.0.0/31", "!10.0.0.0", "!10.0.0.1")") ==
        "sources: all that is named is left out, too");
  CHECK(refused(R"("!0.0.0.0/0")") == "sources: \"!0.0.0.0/0\" leaves nobody");
  CHECK(refused(R"("!fe80::1")") ==
        "sources: fe80::1 cannot send to 239.1.1.1: one is IPv4, the other IPv6");
}

TEST_CASE("sources: the position is that of the element") {
  const auto result = parse_config(rule("a", R"("!10.0.0.1", "!x")"), "f");
  REQUIRE(result.errors.size() == 1);
  CHECK(result.errors[0].line == 3);
  CHECK(result.errors[0].column == 84);
}

TEST_CASE("sources: a rule may take what another leaves out, and nothing else") {
  const auto all_but = rule("a", R"("!10.0.0.5", "!10.9.0.0/16")");
  CHECK(mistake(all_but + rule("b", R"("10.0.0.5", "10.9.3.0/24")")).empty());
  CHECK(mistake(all_but + rule("b", R"("10.0.0.4")")).find("rule \"a\" takes") == 0);
  CHECK(mistake(all_but + rule("b", R"("10.8.0.0/15")")).find("rule \"a\" takes") == 0);
  CHECK(mistake(all_but + rule("b", R"("!10.0.0.5")")).find("rule \"a\" takes") == 0);
}

TEST_CASE("sources: an output whose source is left out closes no circle") {
  const auto back = [](std::string_view sources, std::string_view from) {
    return rule("a", sources) +
           fmt::format(
               "[[rule]]\nname = \"b\"\ninput = {{ interface = \"e1\", group = \"239.9.9.9\", "
               "port = 5 }}\noutputs = [{{ interface = \"e0\", group = \"239.1.1.1\"{} }}]\n",
               from);
  };
  const auto is_circle = [&](std::string_view sources, std::string_view from) {
    const auto result = parse_config(back(sources, from), "f");
    REQUIRE(result.errors.empty());
    return result.config.rules.at(0).circle.number != 0;
  };
  CHECK(is_circle(R"("!10.1.0.1")", ""));
  CHECK(is_circle(R"("!10.1.0.1")", R"(, source = "10.1.0.2")"));
  CHECK_FALSE(is_circle(R"("!10.1.0.1")", R"(, source = "10.1.0.1")"));
  CHECK_FALSE(is_circle(R"("10.1.0.9")", R"(, source = "10.1.0.1")"));
  CHECK(is_circle(R"("10.1.0.0/24")", R"(, source = "10.1.0.1")"));
}

TEST_CASE("sources: preserved senders close no circle where the rules take different ones") {
  const auto is_circle = [](std::string_view there, std::string_view back) {
    const auto one = [](char name, std::string_view sources, int from, int to) {
      return fmt::format(
          "[[rule]]\nname = \"{}\"\ninput = {{ interface = \"e{}\", group = \"239.9.9.9\", port = "
          "5, sources = [{}] }}\noutputs = [{{ interface = \"e{}\", source = \"preserve\" }}]\n",
          name, from, sources, to);
    };
    const auto result = parse_config(one('a', there, 0, 1) + one('b', back, 1, 0), "f");
    REQUIRE(result.errors.empty());
    return result.config.rules.at(0).circle.number != 0;
  };
  CHECK_FALSE(is_circle(R"("10.1.0.0/16")", R"("10.2.0.0/16")"));
  CHECK_FALSE(is_circle(R"("10.1.0.0/16", "10.7.0.1")", R"("10.0.0.9", "10.2.0.0/16")"));
  CHECK(is_circle(R"("10.1.0.0/16", "10.7.0.1")", R"("10.0.0.9", "10.7.0.0/16")"));
  CHECK(is_circle(R"("10.1.0.0/16")", R"("10.1.9.9")"));
  CHECK_FALSE(is_circle(R"("!10.1.0.0/16")", R"("10.1.9.9")"));
}
