#include <fmt/format.h>

#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/config/load.hpp"

using namespace mcr;

namespace {

std::string reflector(std::string_view more, std::string_view interfaces = R"("a", "b", "c")") {
  return fmt::format("[[reflector]]\nname = \"r\"\ninterfaces = [{}]\n{}\n", interfaces, more);
}

Config good(const std::string& text) {
  auto result = parse_config(text, "f");
  for (const auto& error : result.errors)
    UNSCOPED_INFO(error.str());
  REQUIRE(result.errors.empty());
  return std::move(result.config);
}

/// The only mistake, with its place.
std::string mistake(const std::string& text) {
  const auto result = parse_config(text, "f");
  if (result.errors.size() != 1) return fmt::format("{} mistakes", result.errors.size());
  return result.errors[0].str();
}

/// "a>b,c b>a"
std::string ways(const Config& config) {
  std::string result;
  for (const auto& rule : config.rules) {
    result += (result.empty() ? "" : " ") + rule.inputs.at(0).interface + ">";
    for (const auto& output : rule.outputs)
      result += (&output == &rule.outputs.front() ? "" : ",") + output.interface;
  }
  return result;
}

}  // namespace

TEST_CASE("reflector: all to all, as rules that bear its name") {
  const auto config = good(reflector("kind = \"mdns\""));
  CHECK(ways(config) == "a>b,c b>a,c c>a,b");
  CHECK(config.reflectors.at(0).interfaces == std::vector<std::string>{"a", "b", "c"});
  const auto& rule = config.rules.at(1);
  CHECK(rule.name == "r/b");
  CHECK(rule.reflector == "r");
  CHECK(rule.circle.number == 1);
  const auto& output = rule.outputs.at(0);
  CHECK(output.destination.str() == "224.0.0.251");
  CHECK(output.port == 5353);
  CHECK(output.source_port == 5353);
  CHECK(output.ttl == Ttl::of(255));
  CHECK(output.limit.pps == 1000);
}

TEST_CASE("reflector: kinds have defaults, and what the user writes counts more") {
  const auto ssdp = good(reflector("kind = \"ssdp\"")).rules.at(0).outputs.at(0);
  CHECK(ssdp.destination.str() == "239.255.255.250");
  CHECK(ssdp.port == 1900);
  CHECK(ssdp.source_port == 0);
  CHECK(ssdp.ttl == Ttl::of(2));
  const auto probe =
      good(reflector("kind = \"ws-discovery\"\nttl = 4\nmax_pps = 7")).rules.at(0).outputs.at(0);
  CHECK(probe.port == 3702);
  CHECK(probe.ttl == Ttl::of(4));
  CHECK(probe.limit.pps == 7);
  const auto udp = good("[defaults]\nttl = 9\n" + reflector("group = \"239.1.1.1\"\nport = 5"));
  CHECK(udp.rules.at(0).outputs.at(0).ttl == Ttl::of(9));
}

TEST_CASE("reflector: groups of both families, and broadcast") {
  const auto both =
      good(reflector("kind = \"mdns\"\ngroup = [\"224.0.0.251\", \"ff02::fb\"]\n"
                     "sources = [\"!10.0.0.1\", \"!fe80::1\"]"));
  CHECK(both.rules.size() == 6);
  CHECK(both.rules.at(3).name == "r/a/ff02::fb");
  CHECK(both.rules.at(3).circle.number == 2);
  CHECK(both.rules.at(0).inputs.at(0).excluded.at(0).str() == "10.0.0.1");
  CHECK(both.rules.at(3).inputs.at(0).excluded.at(0).str() == "fe80::1");
  const auto broadcast = good(reflector("address = \"broadcast\"\nport = 6000"));
  CHECK(broadcast.rules.at(0).inputs.at(0).destination.is_broadcast());
  CHECK(broadcast.rules.at(0).outputs.at(0).destination.is_broadcast());
  CHECK(broadcast.rules.at(0).circle.number == 1);
}

TEST_CASE("reflector: allow says what goes where, and what of it") {
  const auto config = good(reflector(R"(kind = "mdns"
services = ["_http._tcp"]
allow = [ { from = "a", to = "b" }, { from = "b", to = "a", questions = false },
          { from = "a", to = "c", services = ["_ipp._tcp"] } ])"));
  CHECK(ways(config) == "a>b,c b>a c>");
  CHECK(config.rules.at(0).outputs.at(0).mdns == MdnsFilter{true, {"_http._tcp"}});
  CHECK(config.rules.at(0).outputs.at(1).mdns == MdnsFilter{true, {"_ipp._tcp"}});
  CHECK(config.rules.at(1).outputs.at(0).mdns == MdnsFilter{false, {"_http._tcp"}});
  // One way on this host may be closed to a circle by another.
  CHECK(good(reflector("kind = \"mdns\"\nallow = [ { from = \"a\", to = \"b\" } ]"))
            .rules.at(0)
            .circle.number == 1);
}

TEST_CASE("reflector: it listens where it may only send to, in the same circle") {
  const auto one_way = reflector("kind = \"mdns\"\nallow = [ { from = \"a\", to = \"b\" } ]");
  const auto config = good(one_way);
  CHECK(ways(config) == "a>b b>");
  CHECK(config.rules.at(1).name == "r/b");
  CHECK(config.rules.at(1).listens());
  CHECK_FALSE(config.rules.at(0).listens());
  CHECK(config.rules.at(1).circle.number == config.rules.at(0).circle.number);

  const auto mixed = good(reflector(R"(kind = "mdns"
allow = [ { from = "a", to = "b" }, { from = "b", to = "a" }, { from = "c", to = "a" },
          { from = "a", to = "d" } ])",
                                    R"("a", "b", "c", "d")"));
  CHECK(ways(mixed) == "a>b,d b>a c>a d>");
  for (const auto& rule : mixed.rules)
    CHECK(rule.circle.number == mixed.rules.at(0).circle.number);
}

TEST_CASE("reflector: one that only listens makes way for a rule that takes the same") {
  const auto one_way = reflector("kind = \"mdns\"\nallow = [ { from = \"a\", to = \"b\" } ]");
  const auto back = good(one_way + R"([[rule]]
input = { interface = "b", group = "224.0.0.251", port = 5353 }
outputs = [ { interface = "a" } ]
)");
  CHECK(back.rules.size() == 2);
  CHECK(back.rules.at(0).circle.number == 1);
  CHECK(back.rules.at(1).circle.number == 1);
  const auto other = good(one_way + R"([[rule]]
input = { interface = "b", group = "224.0.0.251", port = 5354 }
outputs = [ { interface = "a" } ]
)");
  CHECK(other.rules.size() == 3);
}

TEST_CASE("reflector: mistakes have their places") {
  const auto wrong = [](std::string_view more) { return mistake(reflector(more)); };
  CHECK(wrong("kind = \"dns\"") == "f:4:8: kind: \"dns\" is none of mdns, ssdp, ws-discovery, udp");
  CHECK(wrong("port = 5") == "f:1:1: a reflector needs a `group`, or `address = \"broadcast\"`");
  CHECK(wrong("group = \"239.1.1.1\"") == "f:1:1: a reflector needs a `port`");
  CHECK(wrong("group = \"10.1.1.1\"\nport = 5").find("f:4:9: group: 10.1.1.1 is not") == 0);
  CHECK(wrong("address = \"10.1.1.1\"\nport = 5").find("f:4:11: address: \"10.1.1.1\" is not") ==
        0);
  CHECK(wrong("kind = \"mdns\"\nttl = 3").find("f:5:7: ttl: mDNS has 255") == 0);
  CHECK(wrong("kind = \"ssdp\"\nservices = [\"_ipp._tcp\"]") ==
        "f:5:12: services: only kind = \"mdns\" has it");
  CHECK(wrong("kind = \"mdns\"\nservices = [\"ipp\"]") ==
        "f:5:13: services: \"ipp\" is no service, such as \"_ipp._tcp\"");
  CHECK(wrong("kind = \"mdns\"\nallow = [ { from = \"a\", to = \"x\" } ]") ==
        "f:5:30: allow: \"x\" is none of the reflector's `interfaces`");
  CHECK(wrong("kind = \"mdns\"\nallow = [ { from = \"a\" } ]") ==
        "f:5:11: `allow` needs `from` and `to`");
  CHECK(wrong("kind = \"mdns\"\nallow = [ { from = \"a\", to = \"a\" } ]").find("same interface") !=
        std::string::npos);
  CHECK(wrong("kind = \"mdns\"\nsources = [\"fd00::1\"]").find("f:5:11: sources: ") == 0);
  CHECK(wrong("kind = \"mdns\"\nzzz = 1").find("f:5:1: unknown key \"zzz\" in a reflector") == 0);
  CHECK(mistake(reflector("kind = \"mdns\"", "\"a\"")) ==
        "f:3:14: interfaces: a reflector needs at least two");
  CHECK(mistake(reflector("kind = \"mdns\"", R"("a", "b", "a")"))
            .find("f:3:25: interfaces: \"a\" is named twice") == 0);
  CHECK(mistake("[[reflector]]\nkind = \"mdns\"\ninterfaces = [\"a\", \"b\"]") ==
        "f:1:1: a reflector needs a `name`");
}

TEST_CASE("reflector: its inputs compete with those of rules") {
  const std::string rule =
      "[[rule]]\nname = \"one\"\ninput = { interface = \"a\", group = \"224.0.0.251\", port = 5353 "
      "}\n"
      "outputs = [{ interface = \"x\" }]\n";
  CHECK(mistake(rule + reflector("kind = \"mdns\"")).find("rule \"one\" takes 224.0.0.251:5353") !=
        std::string::npos);
}

TEST_CASE("broadcast: an address of inputs and outputs") {
  const auto rule = [](std::string_view input, std::string_view output) {
    return fmt::format(
        "[[rule]]\ninput = {{ interface = \"a\", port = 5, {} }}\noutputs = [{{ interface = \"b\", "
        "{} "
        "}}]\n",
        input, output);
  };
  const auto config = good(rule("address = \"broadcast\"", "address = \"broadcast\""));
  CHECK(config.rules.at(0).inputs.at(0).destination == limited_broadcast);
  CHECK(config.rules.at(0).outputs.at(0).destination == limited_broadcast);
  CHECK(mistake(rule("address = \"255.255.255.255\"", "address = \"broadcast\""))
            .find("255.255.255.255 is written \"broadcast\"") != std::string::npos);
}
