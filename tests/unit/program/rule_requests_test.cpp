// The verbs of a rule, as clients of the control socket ask for them.
#include "mcr/program/rule_requests.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "mcr/base/error.hpp"

namespace {

using namespace mcr;
using nlohmann::json;

/// A configuration of one rule in the main file, "main", and its folders; gone at the end.
struct Relay {
  std::string folder;
  ConfigBook book;

  Relay() {
    char name[] = "/tmp/mcr-rules.XXXXXX";
    folder = ::mkdtemp(name);
    std::ofstream(folder + "/mcr.toml")
        << "[daemon]\nstate = \"" << folder << "/state\"\nruntime = \"" << folder << "/run\"\n"
        << write_rule(rule("239.0.0.1"));
    REQUIRE(book.read(folder + "/mcr.toml").empty());
  }
  ~Relay() { std::filesystem::remove_all(folder); }

  static json rule(const std::string& group) {
    return {{"name", "main"},
            {"input", {{"interface", "e0"}, {"group", group}, {"port", 5}}},
            {"outputs", json::array({{{"interface", "e1"}}})}};
  }

  /// The difference, or the error.
  std::string ask(const std::string& verb, const json& more = json::object()) {
    json request = {{"verb", verb}, {"name", "a"}};
    request.update(more);
    return text_of(answer_rule_request(book, request));
  }
  std::string apply(const std::string& text, bool prune = false) {
    return text_of(answer_apply_request(book, {{"text", text}, {"file", "f"}, {"prune", prune}}));
  }
  static std::string text_of(const RuleAnswer& answer) {
    const auto& document = answer.document;
    CHECK(answer.changed() ==
          (document.value("ok", false) &&
           answer.difference.added + answer.difference.removed + answer.difference.changed != 0));
    if (document.value("ok", false)) return document.value("difference", "shown");
    if (document.contains("error")) return document["error"];
    return document["errors"][0]["message"];
  }
  json shown() { return answer_rule_request(book, {{"verb", "show"}, {"name", "a"}}).document; }
};

json with_group(const std::string& group) {
  auto rule = Relay::rule(group);
  rule.erase("name");
  return {{"rule", rule}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("rule requests: each verb may be repeated") {
  Relay relay;
  for (const auto& [verb, more, first, again] :
       {std::tuple("add", with_group("239.0.0.2"), "+1 -0 ~0 =1", "+0 -0 ~0 =2"),
        std::tuple("set", with_group("239.0.0.3"), "+0 -0 ~1 =1", "+0 -0 ~0 =2"),
        std::tuple("disable", json::object(), "+0 -0 ~1 =1", "+0 -0 ~0 =2"),
        std::tuple("enable", json::object(), "+0 -0 ~1 =1", "+0 -0 ~0 =2"),
        std::tuple("remove", json::object(), "+0 -1 ~0 =1", "+0 -0 ~0 =1")}) {
    CHECK(relay.ask(verb, more) == first);
    CHECK(relay.ask(verb, more) == again);
  }
  CHECK(relay.ask("set", with_group("239.0.0.4")) == "+1 -0 ~0 =1");
}

TEST_CASE("rule requests: set changes what it names, and no more") {
  Relay relay;
  REQUIRE(relay.ask("add", with_group("239.0.0.2")) == "+1 -0 ~0 =1");
  CHECK(
      relay.ask("set", {{"set", json::array({{{"expect", "min_pps"}, 5}, {{"comment"}, "c"}})}}) ==
      "+0 -0 ~1 =1");
  auto rule = relay.shown()["rule"];
  CHECK(rule["expect"] == json({{"min_pps", 5}}));
  CHECK(rule["comment"] == "c");
  CHECK(rule["name"] == "a");
  CHECK(rule["input"]["group"] == "239.0.0.2");
  CHECK(relay.ask("set",
                  {{"unset", json::array({{"expect"}, {"nothing", "at all"}, {"comment"}})}}) ==
        "+0 -0 ~1 =1");
  CHECK_FALSE(relay.shown()["rule"].contains("expect"));
  auto two = Relay::rule("239.0.0.2");
  two["inputs"] = json::array({two["input"], two["input"]});
  two["inputs"][1]["port"] = 6;
  two["outputs"][0]["port"] = 7;
  two.erase("input");
  two.erase("name");
  CHECK(relay.ask("set", {{"rule", two}}) == "+0 -0 ~1 =1");
  CHECK_FALSE(relay.shown()["rule"].contains("input"));
}

TEST_CASE("rule requests: refusals say why, and change nothing") {
  Relay relay;
  CHECK(contains(relay.ask("enable"), "there is no rule a"));
  CHECK(contains(relay.ask("show"), "there is no rule a"));
  CHECK(contains(relay.ask("dance"), "unknown verb"));
  CHECK(
      contains(relay.ask("set", {{"set", json::array({{{"comment"}, "c"}})}}), "needs an `input`"));
  REQUIRE(relay.ask("add", with_group("239.0.0.2")) == "+1 -0 ~0 =1");
  CHECK(contains(relay.ask("add", with_group("239.0.0.3")), "is another one"));
  CHECK(contains(relay.ask("add", {{"runtime", true}, {"rule", with_group("239.0.0.2")["rule"]}}),
                 "is already at"));
  CHECK(contains(relay.ask("remove", {{"name", "main"}}), "is already at"));
  for (const auto& more :
       {json{{"set", json::array({{"x", 5}})}}, json{{"set", json::array({{json::array(), 5}})}},
        json{{"set", json::array({{{"name", "x"}, 5}})}}, json{{"set", 5}},
        json{{"unset", json::array({5})}}, json{{"name", 5}}, json{{"rule", 5}},
        json{{"set", json::array({{{"comment"}, nullptr}})}}})
    CHECK_THROWS(relay.ask("set", more));
  CHECK(relay.ask("add", with_group("239.0.0.2")) == "+0 -0 ~0 =2");
}

TEST_CASE("rule requests: put says the whole rule, as an object or as text") {
  Relay relay;
  auto whole = Relay::rule("239.0.0.2");
  whole["name"] = "a";
  CHECK(relay.ask("put", {{"rule", whole}}) == "+1 -0 ~0 =1");
  CHECK(relay.ask("put", {{"rule", whole}}) == "+0 -0 ~0 =2");
  CHECK(relay.ask("put", {{"text", write_rule(whole)}, {"file", "f"}}) == "+0 -0 ~0 =2");
  whole["comment"] = "c";
  CHECK(relay.ask("put", {{"text", write_rule(whole)}, {"file", "f"}}) == "+0 -0 ~1 =1");
  CHECK(relay.shown()["rule"] == whole);
  CHECK(relay.ask("put", with_group("239.0.0.2")) == "+0 -0 ~1 =1");
  CHECK_FALSE(relay.shown()["rule"].contains("comment"));
  whole["name"] = "b";
  CHECK(contains(relay.ask("put", {{"rule", whole}}), "the rule's name must be a"));
  CHECK(contains(relay.ask("put", {{"text", write_rule(whole)}}), "the rule's name must be"));
  CHECK(contains(relay.ask("put", {{"name", "main"}, {"rule", Relay::rule("239.0.0.7")}}),
                 "is already at"));
  CHECK_THROWS(relay.ask("put", {{"rule", 5}}));
  CHECK_THROWS(relay.ask("put"));
  CHECK(relay.ask("remove") == "+0 -1 ~0 =1");
  whole["name"] = "a";
  CHECK(relay.ask("put", {{"rule", whole}, {"runtime", true}}) == "+1 -0 ~0 =1");
  CHECK(relay.ask("put", with_group("239.0.0.3")) == "+0 -0 ~1 =1");
  CHECK(relay.shown()["home"] == "runtime");
}

TEST_CASE("rule requests: apply takes all rules of a text, or none") {
  Relay relay;
  auto b = Relay::rule("239.0.0.4");
  b["name"] = "b";
  auto a = Relay::rule("239.0.0.2");
  a["name"] = "a";
  CHECK(relay.apply(write_rule(a) + write_rule(b)) == "+2 -0 ~0 =1");
  CHECK(relay.apply(write_rule(a) + write_rule(b)) == "+0 -0 ~0 =3");
  b["input"]["group"] = "239.0.0.1";
  CHECK(contains(relay.apply(write_rule(a) + write_rule(b)), "rule \"main\" takes"));
  CHECK(contains(relay.apply("x"), ""));
  CHECK(relay.apply("") == "+0 -0 ~0 =3");
  CHECK(relay.apply(write_rule(a), true) == "+0 -1 ~0 =2");
}
