// The maxima of a configuration.
#include <fmt/format.h>

#include <string>

#include "catch.hpp"
#include "config_text.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

TEST_CASE("config: blocks count against the maxima") {
  const auto from = [](int n, int bits) {
    return fmt::format(R"(interface = "e{}", group = "239.0.0.0/{}", port = "1-16")", n, bits);
  };
  CHECK(parse_config(
            rule("a", from(0, 20), R"({ interface = "x", port = 7, group = "239.1.1.1" })"), "f")
            .errors.empty());
  const auto sources = [](int count) {
    std::string list;
    for (int n = 0; n < count; ++n)
      list += fmt::format("\"10.1.{}.{}\",", n / 256, n % 256);
    return ", sources = [" + list + "]";
  };
  check_each({
      {rule("a", fine_input + sources(4097), fine_output).c_str(), "3:73",
       "sources: has 4097 sources, at most 4096 are allowed"},
      {rule("a", from(0, 20) + sources(17), fine_output).c_str(), "3:9",
       "more than 1048576 sources in all, each counted once"},
      {(rule("a", from(0, 20), R"({ interface = "x", port = 7, group = "239.1.1.1" })") +
        rule("b", from(1, 32), R"({ interface = "x", port = 7, group = "239.1.1.1" })"))
           .c_str(),
       "7:9", "more than 65536 inputs in all, each counted once for every group and port"},
      {rule("a", from(0, 20), R"({ interface = "x" }, { interface = "y" })").c_str(), "4:34",
       "more than 65536 outputs in all, each counted once"},
  });
}

TEST_CASE("config: kinds with sockets of their own count against the maxima") {
  std::string vlans;
  for (std::size_t n = 0; n <= limits::input_kinds; ++n)
    vlans += rule(fmt::format("r{}", n),
                  fmt::format(R"(interface = "e{}", group = "239.1.1.1", port = 5, vlan = {})",
                              n / 1024, n % 1024 + 1),
                  fine_output);
  std::string ports;
  for (std::size_t n = 0; n <= limits::output_kinds; ++n)
    ports +=
        rule(fmt::format("r{}", n),
             fmt::format(R"(interface = "e", group = "239.1.{}.{}", port = 5)", n / 256, n % 256),
             fmt::format(R"({{ interface = "e1", source_port = {} }})", n + 1));
  check_each({
      {vlans.c_str(), "8195:9", "more than 2048 kinds of input"},
      {ports.c_str(), "4100:13", "more than 1024 kinds of output"},
  });
}

TEST_CASE("config: the maxima hold") {
  const auto many = [](std::size_t rules, std::size_t outputs) {
    std::string text;
    for (std::size_t r = 0; r < rules; ++r) {
      std::string list;
      for (std::size_t o = 0; o < outputs; ++o)
        list += fmt::format("{{ interface = \"e1\", port = {} }},", o + 1);
      text += fmt::format(
          "[[rule]]\ninput = {{ interface = \"e0\", group = \"239.0.{}.{}\", port = 5 }}\n"
          "outputs = [ {} ]\n",
          r / 256, r % 256, list);
    }
    return parse_config(text, "f");
  };
  CHECK(many(10'000, 1).errors.empty());
  const auto rules = many(10'002, 1);
  REQUIRE(rules.errors.size() == 1);
  CHECK(rules.errors[0].str() == "f:30001:1: rule: more than 10000 rules");
  CHECK(many(1, 64).errors.empty());
  const auto outputs = many(1, 66);
  REQUIRE(outputs.errors.size() == 1);
  CHECK(outputs.errors[0].message == "outputs: a rule has at most 64 outputs, this one has 66");
  CHECK(many(1024, 64).errors.empty());
  const auto total = many(1026, 64);
  REQUIRE(total.errors.size() == 1);
  CHECK(total.errors[0].line == 3 * 1024 + 3);
  CHECK(total.errors[0].message.starts_with("more than 65536 outputs in all"));
}

}  // namespace mcr
