// Rules beside each other: inputs that they share, names, and circles.
#include <fmt/format.h>

#include <string>

#include "catch.hpp"
#include "config_text.hpp"
#include "mcr/config/config_difference.hpp"

namespace mcr {

TEST_CASE("config: a disabled rule competes with no other") {
  const auto first = rule("a", fine_input, fine_output);
  const auto back =
      rule("b", R"(interface = "e1", group = "239.1.1.1", port = 5000)", R"({ interface = "e0" })");
  CHECK(good(first + "enabled = false\n" + rule("b", fine_input, fine_output)).rules.size() == 2);
  CHECK(good(first + "enabled = false\n" + back).rules.size() == 2);
  CHECK(circles(first + back) == Numbers{1, 1});
}

TEST_CASE("config: inputs of different kinds are different inputs") {
  const auto two = [](const std::string& first, const std::string& second) {
    return rule("a", fine_input + first, fine_output) + rule("b", fine_input + second, fine_output);
  };
  CHECK(good(two("", ", vlan = 5")).rules.size() == 2);
  CHECK(good(two(", vlan = 5", ", vlan = 6")).rules.size() == 2);
  CHECK(good(two("", ", local = true")).rules.size() == 2);
  check_each({
      {two(", vlan = 5", ", vlan = 5").c_str(), "7:9", ", VLAN 5 too"},
      {two(", local = true", ", local = true").c_str(), "7:9", ", sent by this host too"},
  });
}

TEST_CASE("config: circles through local and VLAN inputs") {
  const auto hop_of = [](const char* name, int from, int to, const char* kind) {
    return rule(name,
                fmt::format(R"(interface = "e", group = "239.0.0.{}", port = 5{})", from, kind),
                fmt::format(R"({{ interface = "e", group = "239.0.0.{}" }})", to));
  };
  // A local input takes what a rule sends by that interface.
  CHECK(circles(hop_of("a", 1, 2, ", local = true") + hop_of("b", 2, 1, ", local = true")) ==
        Numbers{1, 1});
  check_each({{hop_of("a", 1, 1, ", local = true").c_str(), "4:13",
               "the output is the rule's own input"}});
  // Outputs leave untagged.
  CHECK(circles(hop_of("a", 1, 2, ", vlan = 5") + hop_of("b", 2, 1, ", vlan = 5")) ==
        Numbers{0, 0});
  CHECK(good(hop_of("a", 1, 1, ", vlan = 5")).rules.size() == 1);
}

TEST_CASE("config: blocks compete with other rules' inputs") {
  const auto block =
      rule("a", R"(interface = "e0", group = "239.1.0.0/24", port = "5000-5010")", fine_output);
  const auto other = [](const char* input) { return rule("b", input, R"({ interface = "e2" })"); };
  CHECK(good(block + other(R"(interface = "e0", group = "239.1.0.7", port = 5011)")).rules.size() ==
        2);
  CHECK(good(block + other(R"(interface = "e0", group = "239.1.1.0", port = 5000)")).rules.size() ==
        2);
  check_each({
      {(block + other(R"(interface = "e0", group = "239.1.0.7", port = 5010)")).c_str(), "7:9",
       "rule \"a\" takes 239.1.0.7:5010 on e0 too, at f:3:9"},
  });
  CHECK(circles(block + rule("b", R"(interface = "e1", group = "239.1.0.9", port = 5003)",
                             R"({ interface = "e0" })")) == Numbers{1, 1});
}

TEST_CASE("config: names and inputs exist once") {
  const std::string input2 = R"(interface = "e0", group = "239.1.1.2", port = 5000)";
  const auto first = rule("a", fine_input, fine_output);
  check_each({
      {(first + rule("a", input2, fine_output)).c_str(), "6:8",
       "a rule named \"a\" is already at f:2:8"},
      {(first + rule("b", fine_input, fine_output)).c_str(), "7:9",
       "rule \"a\" takes 239.1.1.1:5000 on e0 too, at f:3:9"},
      {(first + rule("b", fine_input + R"(, sources = ["10.0.0.1"])", fine_output)).c_str(), "7:9",
       "rule \"a\" takes"},
  });
}

TEST_CASE("config: rules share an input if no source is in both") {
  const auto from = [](const char* name, const char* sources) {
    return rule(name, fine_input + ", sources = [" + sources + "]", fine_output);
  };
  const auto two = from("a", R"("10.0.0.1", "10.0.0.2")") + from("b", R"("10.0.0.3")");
  CHECK(good(two).rules.size() == 2);
  CHECK(good(two + from("c", R"("10.0.0.4/30", "10.1.0.0/16")")).rules.size() == 3);
  check_each({
      {(two + from("c", R"("10.0.0.4", "10.0.0.3")")).c_str(), "11:9", "rule \"b\" takes"},
      {(two + from("c", R"("10.0.0.4", "10.0.0.2/31")")).c_str(), "11:9", "rule \"b\" takes"},
      {(two + from("c", R"("0.0.0.0/0")")).c_str(), "11:9", "rule \"b\" takes"},
      {(from("a", R"("10.0.0.0/24")") + from("b", R"("10.0.0.77")")).c_str(), "7:9",
       "rule \"a\" takes"},
      {(two + rule("c", fine_input, fine_output)).c_str(), "11:9", "rule \"a\" takes"},
  });
  // Rules without names would have one default name. If their sources are equal, too, only that is
  // reported.
  const auto unnamed = [](const char* source) {
    return fmt::format("[[rule]]\ninput = {{ {}, sources = [\"{}\"] }}\noutputs = [{}]\n",
                       fine_input, source, fine_output);
  };
  check_each({
      {(unnamed("10.0.0.1") + unnamed("10.0.0.2")).c_str(), "4:1", "give this one a `name`"},
      {(unnamed("10.0.0.1") + unnamed("10.0.0.1")).c_str(), "5:9", "takes 239.1.1.1:5000"},
  });
}

TEST_CASE("config: rules that feed each other in a circle are known") {
  CHECK(circles(hop("a", 1, 2) + hop("b", 2, 3) + hop("c", 1 + 256, 3)) == Numbers{0, 0, 0});
  // Two streams with one destination make no circle.
  CHECK(circles(hop("a", 1, 3) + hop("b", 2, 3) + hop("c", 3, 4)) == Numbers{0, 0, 0});
  CHECK(circles(hop("a", 1, 2) + hop("b", 2, 1)) == Numbers{1, 1});
  CHECK(circles(hop("x", 9, 1) + hop("c", 3, 1) + hop("a", 1, 2) + hop("b", 2, 3)) ==
        Numbers{0, 1, 1, 1});
  // A rule that a circle feeds is not in it.
  CHECK(circles(hop("a", 1, 2) + hop("b", 2, 1) +
                rule("out", R"(interface = "x", group = "239.0.0.1", port = 5)",
                     R"({ interface = "y" })")) == Numbers{1, 1, 0});
  // The same group on another interface closes no circle.
  const auto elsewhere = rule("b", R"(interface = "e", group = "239.0.0.2", port = 5)",
                              R"({ interface = "x", group = "239.0.0.1" })");
  CHECK(circles(hop("a", 1, 2) + elsewhere) == Numbers{0, 0});
  // Circles without a common rule have a number each.
  CHECK(circles(hop("a", 1, 2) + hop("b", 2, 1) + hop("c", 3, 4) + hop("d", 4, 3)) ==
        Numbers{1, 1, 2, 2});
}

TEST_CASE("config: a circle makes no rule another one") {
  const auto before = good(hop("a", 1, 2));
  const auto after = good(hop("a", 1, 2) + hop("b", 2, 1));
  CHECK(after.rules.at(0).circle.number == 1);
  CHECK(compare_configs(before, after) == ConfigDifference{1, 0, 0, 1});
}

TEST_CASE("config: a rule that allows loops is in its circle all the same") {
  const auto allowed = [](std::string text) {
    return text.replace(text.find("input"), 0, "allow_loop = true\n");
  };
  CHECK(good(allowed(hop("a", 1, 2)) + hop("b", 2, 1)).rules.at(0).allow_loop);
  CHECK_FALSE(good(hop("a", 1, 2) + allowed(hop("b", 2, 1))).rules.at(0).allow_loop);
  CHECK(circles(allowed(hop("a", 1, 2)) + hop("b", 2, 1)) == Numbers{1, 1});
  CHECK(circles(allowed(hop("own", 1, 1))) == Numbers{1});
  const auto wrong =
      "[[rule]]\nallow_loop = 1\ninput = {" + fine_input + "}\noutputs = [" + fine_output + "]";
  check_each({{wrong.c_str(), "2:14", "allow_loop: expected true or false, found an integer"}});
}

TEST_CASE("config: 10,000 rules in one chain, and in one circle") {
  std::string text;
  for (int i = 0; i < 9'999; ++i)
    text += hop(fmt::format("r{}", i), i, i + 1);
  CHECK(good(text).rules.size() == 9'999);
  CHECK(circles(text + hop("last", 9'999, 0)) == Numbers(10'000, 1));
}

}  // namespace mcr
