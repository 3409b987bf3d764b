// The keys of the configuration: what each is read as, and its default.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "config_text.hpp"
#include "mcr/config/dscp.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

TEST_CASE("config: an empty file is valid and idle") {
  for (const char* text : {"", "\n", "# nothing", "rule = []", "[daemon]\n[defaults]\n"}) {
    const Config config = good(text);
    CHECK(config == Config{});
  }
}

TEST_CASE("config: every key is read") {
  const Config config = good(R"(
[daemon]
workers = 2
cpus = [3, 2]
fanout = "qm"
log_level = "debug"
idle = "poll"
metrics = "[::1]:9464"
metrics_hosts = ["relay1.example.com"]
[defaults]
ttl = 9
[interface.eth0]
receive_buffer = "64 MiB"
send_buffer = 65536
[interface."eth0.100"]
receive_buffer = "1GiB"
[[rule]]
name = "studio-a"
input = { interface = "eth0", group = "239.1.1.1", port = 5000, sources = ["10.0.0.7", "10.0.0.5"] }
outputs = [
  { interface = "eth1", group = "239.2.2.2", port = 6000, ttl = 8 },
  { interface = "eth2", port = 6001 },
  { interface = "wg0", address = "10.100.0.2" },
  { interface = "wg0", address = "127.0.0.1", ttl = 3 },
]
)");
  CHECK(config.daemon == Daemon{2,
                                {3, 2},
                                Fanout::qm,
                                FastPathMode::off,
                                log::Level::debug,
                                {},
                                Idle::poll,
                                mcr::Endpoint{ip("::1"), 9464},
                                {"relay1.example.com"}});
  CHECK(config.interfaces ==
        std::map<std::string, InterfaceTuning>{{"eth0", {64U << 20U, 65536}},
                                               {"eth0.100", {1U << 30U, std::nullopt}}});
  const Rule expected{
      "studio-a",
      {{"eth0", ip("239.1.1.1"), 5000, {ip("10.0.0.5"), ip("10.0.0.7")}}},
      {{"eth1", ip("239.2.2.2"), 6000, Ttl::of(8)},
       {"eth2", ip("239.1.1.1"), 6001, Ttl::of(9)},
       {"wg0", ip("10.100.0.2"), 5000, Ttl{}},
       {"wg0", ip("127.0.0.1"), 5000, Ttl::of(3)}},
  };
  CHECK(config.rules == std::vector{expected});
}

TEST_CASE("config: a key that is left out has its default") {
  const Config config = good("[[rule]]\ninput = {" + fine_input + "}\noutputs = [" + fine_output +
                             ", { interface = \"e1\", address = \"10.0.0.1\" }]");
  const Rule& only = config.rules.at(0);
  CHECK(only.name == "e0/239.1.1.1:5000");
  CHECK(only.inputs.at(0).sources.empty());
  CHECK(only.outputs.at(0).ttl == Ttl::of(16));
  CHECK(only.outputs.at(1).ttl == Ttl{});
  CHECK(good("").daemon.rejoin == std::chrono::seconds(0));
  CHECK(good("daemon.rejoin = \"60s\"").daemon.rejoin == std::chrono::seconds(60));
  CHECK(good("daemon.workers = \"auto\"\ndaemon.cpus = [1]").daemon.cpus == std::vector{1U});
}

TEST_CASE("config: a ttl can be the packet's") {
  const Config config =
      good("[defaults]\nttl = \"decrement\"\n[[rule]]\ninput = {" + fine_input + R"(}
outputs = [
  { interface = "e1" },
  { interface = "e2", ttl = "preserve" },
  { interface = "e3", address = "10.0.0.1" },
  { interface = "e3", address = "10.0.0.2", ttl = "decrement" },
])");
  const auto& outputs = config.rules.at(0).outputs;
  CHECK(outputs.at(0).ttl == Ttl{Ttl::Mode::decrement});
  CHECK(outputs.at(1).ttl == Ttl{Ttl::Mode::preserve});
  CHECK(outputs.at(2).ttl == Ttl{});
  CHECK(outputs.at(3).ttl == Ttl{Ttl::Mode::decrement});
}

TEST_CASE("config: a dscp is a number, a name, or the packet's") {
  const Config config = good("[defaults]\ndscp = \"AF41\"\n[[rule]]\ninput = {" + fine_input + R"(}
outputs = [
  { interface = "e1" },
  { interface = "e2", dscp = 0 },
  { interface = "e3", address = "10.0.0.1", dscp = "EF" },
  { interface = "e4", dscp = "preserve" },
])");
  const auto& outputs = config.rules.at(0).outputs;
  CHECK(outputs.at(0).dscp == Dscp{.value = 34});
  CHECK(outputs.at(1).dscp == Dscp{});
  CHECK(outputs.at(2).dscp == Dscp{.value = 46});
  CHECK(outputs.at(3).dscp == Dscp{.preserve = true});
}

TEST_CASE("config: every name of a dscp is read and written") {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, int>>{
           {"CS0", 0},   {"CS1", 8},   {"CS2", 16},  {"CS3", 24},  {"CS4", 32},  {"CS5", 40},
           {"CS6", 48},  {"CS7", 56},  {"AF11", 10}, {"AF12", 12}, {"AF13", 14}, {"AF21", 18},
           {"AF22", 20}, {"AF23", 22}, {"AF31", 26}, {"AF32", 28}, {"AF33", 30}, {"AF41", 34},
           {"AF42", 36}, {"AF43", 38}, {"EF", 46},   {"VA", 44},   {"LE", 1}}) {
    CHECK(parse_dscp(name) == value);
    CHECK(dscp_name(static_cast<std::uint8_t>(value)) == name);
  }
  CHECK_FALSE(parse_dscp("AF44"));
  CHECK(dscp_name(2).empty());
}

TEST_CASE("config: an output's source is the interface's, a given one, or the sender's") {
  const Config config = good(R"([defaults]
source = "10.0.0.9"
source_port = 7000
loopback = true
[[rule]]
input = {)" + fine_input + R"(}
outputs = [
  { interface = "e1" },
  { interface = "e2", source = "interface", source_port = 8000, loopback = false },
  { interface = "e3", source = "preserve" },
  { interface = "e3", address = "10.0.0.2", source = "10.0.0.3" },
])");
  const auto& outputs = config.rules.at(0).outputs;
  CHECK(outputs.at(0).source == Source{Source::Mode::address, ip("10.0.0.9")});
  CHECK(outputs.at(0).source_port == 7000);
  CHECK(outputs.at(0).loopback);
  CHECK(outputs.at(1).source == Source{});
  CHECK(outputs.at(1).source_port == 8000);
  CHECK_FALSE(outputs.at(1).loopback);
  CHECK(outputs.at(2).source.mode == Source::Mode::preserve);
  CHECK(outputs.at(3).source.address == ip("10.0.0.3"));
  CHECK_FALSE(outputs.at(3).loopback);
}

TEST_CASE("config: IPv6 is accepted wherever IPv4 is") {
  const auto config = good(R"(
[[rule]]
input = { interface = "e0", group = "ff15::1", port = 5000, sources = ["2001:db8::5", "fe80::1"] }
outputs = [
  { interface = "e1" },
  { interface = "e1", group = "239.1.1.1" },
  { interface = "e1", group = "ff02::1:2" },
  { interface = "e1", address = "fe80::9", port = 6000 },
]
[[rule]]
name = "six"
input = { interface = "e0", group = "239.1.1.2", port = 5000 }
outputs = [ { interface = "e1", group = "FF3E:0020:2001:0db8::0001", ttl = 3 } ]
)");
  REQUIRE(config.rules.size() == 2);
  const auto& first = config.rules[0];
  CHECK(first.name == "e0/[ff15::1]:5000");
  CHECK(first.inputs[0].destination == ip("ff15::1"));
  CHECK(first.inputs[0].sources == std::vector<Prefix>{ip("2001:db8::5"), ip("fe80::1")});
  REQUIRE(first.outputs.size() == 4);
  CHECK(first.outputs[0].destination == ip("ff15::1"));
  CHECK(first.outputs[0].ttl == Ttl::of(default_multicast_ttl));
  CHECK(first.outputs[1].destination == ip("239.1.1.1"));
  CHECK(first.outputs[2].destination == ip("ff02::1:2"));
  CHECK(first.outputs[3].destination == ip("fe80::9"));
  CHECK(first.outputs[3].ttl == Ttl{});
  CHECK(config.rules[1].outputs[0].destination.str() == "ff3e:20:2001:db8::1");

  const auto blocks = good(R"([[rule]]
input = { interface = "e0", group = "ff15::1:0/120", port = 5, sources = ["2001:db8::/32"] }
outputs = [ { interface = "e1", group = "ff15::2:0/120" } ]
)");
  CHECK(blocks.rules[0].inputs[0].addresses == 256);
  CHECK(blocks.rules[0].inputs[0].sources[0].contains(ip("2001:db8:ffff::1")));
  CHECK(blocks.rules[0].outputs[0].addresses == 256);
}

TEST_CASE("config: the tables of a rule may be written out") {
  const Config config = good(R"([[rule]]
[rule.input]
interface = "e0"
group = "224.0.0.251"
port = 5353
[[rule.outputs]]
interface = "e1"
[[rule.outputs]]
interface = "e2"
)");
  CHECK(config.rules.at(0).outputs.size() == 2);
}

TEST_CASE("config: the traffic that a rule expects") {
  using namespace std::chrono_literals;
  const auto expected = [](const std::string& text) {
    return good(rule("a", fine_input, fine_output) + text).rules.at(0).expect;
  };
  CHECK(expected("") == std::nullopt);
  CHECK(expected("expect = { min_pps = 100, silent_after = \"5s\" }") == Expectation{100, 5s});
  CHECK(expected("expect = { min_pps = 100 }") == Expectation{100, 2s});
  CHECK(expected("expect = { silent_after = \"1500ms\" }") == Expectation{0, 1500ms});
}

TEST_CASE("config: a rule may have several inputs and a comment, and be disabled") {
  const auto text = [](const std::string& inputs, const std::string& outputs) {
    return "[[rule]]\nenabled = false\ncomment = \"camera 3\"\ninputs = [" + inputs +
           "]\noutputs = [" + outputs + "]\n";
  };
  const std::string one = "{ interface = \"e0\", group = \"239.1.1.1\", port = 5 }";
  const std::string two = "{ interface = \"e2\", group = \"239.1.1.1\", port = 5 }";
  const std::string other = "{ interface = \"e0\", group = \"239.1.1.2\", port = 6 }";
  const auto twins = good(text(one + ", " + two, fine_output)).rules.at(0);
  CHECK(twins.inputs.size() == 2);
  CHECK(twins.name == "e0/239.1.1.1:5");
  CHECK_FALSE(twins.enabled);
  CHECK(twins.comment == "camera 3");
  CHECK(twins.outputs.at(0).destination == ip("239.1.1.1"));
  const std::string complete = R"({ interface = "e1", group = "239.9.9.9", port = 7 })";
  CHECK(good(text(one + ", " + other, complete)).rules.at(0).inputs.at(1).port == 6);
  const std::string far = R"({ interface = "e1", group = "239.9.9.9" })";
  check_each({
      {text(one + ", " + other, far).c_str(), "5:12",
       "the inputs have different ports: this output must name its `port`"},
      {text(one + ", " + two, R"({ interface = "e2" })").c_str(), "5:12",
       "the output is the rule's own input, 239.1.1.1:5 on e2"},
      {text("", complete).c_str(), "4:10", "inputs: is empty; a rule needs at least one input"},
  });
}

TEST_CASE("config: kinds of input") {
  const auto input = [](const std::string& keys) {
    return good(rule("a", R"(interface = "e", port = 5, )" + keys,
                     R"({ interface = "e1", group = "239.2.2.2" })"))
        .rules.at(0)
        .inputs.at(0);
  };
  const auto plain = input(R"(group = "239.1.1.1")");
  CHECK(plain.vlan == 0);
  CHECK_FALSE(plain.local);
  CHECK(input(R"(group = "239.1.1.1", vlan = 4094)").vlan == 4094);
  CHECK(input(R"(group = "239.1.1.1", local = true)").local);
  CHECK_FALSE(input(R"(group = "239.1.1.1", local = false, vlan = 1)").local);
  CHECK(input(R"(address = "10.0.0.1")").destination == ip("10.0.0.1"));
  CHECK(input(R"(address = "10.0.0.1", local = true)").local);
}

TEST_CASE("config: the outputs of a unicast input must name a destination") {
  const auto unicast = R"(interface = "e", address = "10.0.0.1", port = 5)";
  CHECK(good(rule("a", unicast, R"({ interface = "e1", group = "239.1.1.1" })")).rules.size() == 1);
  check_each({{rule("a", unicast, R"({ interface = "e1" })").c_str(), "4:13",
               "an output of a unicast input needs a `group` or an `address`"}});
}

TEST_CASE("config: outputs have limits, their own or the defaults'") {
  const Config config = good("[defaults]\nmax_bps = \"10 Mbit\"\n[[rule]]\ninput = {" + fine_input +
                             R"(}
outputs = [ { interface = "e1" }, { interface = "e2", max_pps = 100, max_bps = "64kbit" },
            { interface = "e3", max_bps = 5 } ])");
  const auto& outputs = config.rules.at(0).outputs;
  CHECK(outputs.at(0).limit == RateLimit{0, 10'000'000});
  CHECK(outputs.at(1).limit == RateLimit{100, 64'000});
  CHECK(outputs.at(2).limit == RateLimit{0, 5});
  CHECK_FALSE(good(rule("a", fine_input, fine_output)).rules.at(0).outputs.at(0).limit);
}

TEST_CASE("config: blocks of groups and ranges of ports are mapped by their distance") {
  const auto only = [](const char* input, const char* outputs) {
    return good(fmt::format("[[rule]]\ninput = {{ interface = \"e0\", {} }}\noutputs = [ {} ]",
                            input, outputs))
        .rules.at(0);
  };
  const auto both = only(R"(group = "239.1.0.0/24", port = "5000-5010")", R"(
    { interface = "e1" }, { interface = "e2", group = "239.9.0.0/24", port = "6000-6010" },
    { interface = "e3", group = "239.9.9.9" }, { interface = "e4", address = "10.0.0.1", port = 7 })");
  CHECK(both.name == "e0/239.1.0.0/24:5000-5010");
  CHECK(both.inputs.at(0).destinations().size() == 256 * 11);
  std::vector<std::string> outputs;
  for (const auto& output : both.outputs)
    outputs.push_back(output.destinations().str());
  CHECK(outputs == std::vector<std::string>{"239.1.0.0/24:5000-5010", "239.9.0.0/24:6000-6010",
                                            "239.9.9.9:5000-5010", "10.0.0.1:7"});
  const auto one = only(R"(group = "239.1.1.1/32", port = "5000-5000")", R"({ interface = "e1" })");
  CHECK(one.name == "e0/239.1.1.1:5000");

  const auto wrong = [](const char* input, const char* output, const char* message) {
    const auto text = fmt::format("[[rule]]\ninput = {{ interface = \"e0\", {} }}\noutputs = [{}]",
                                  input, output);
    check_each({{text.c_str(), "3:12", message}});
  };
  const auto* block = R"(group = "239.1.0.0/24", port = 5000)";
  const auto* range = R"(group = "239.1.1.1", port = "5000-5010")";
  wrong(block, R"({ interface = "e1", group = "239.9.0.0/25" })",
        "the output has 128 groups, the input 256: it must have as many, or one");
  wrong(range, R"({ interface = "e1", port = "6000-6001" })",
        "the output has 2 ports, the input 11: it must have as many, or one");
  wrong(range, R"({ interface = "e1", group = "239.9.0.0/31" })", "2 groups, the input 1");
  wrong(block, R"({ interface = "e0" })",
        "the output is the rule's own input, 239.1.0.0/24:5000 on e0");
  wrong(block, R"({ interface = "e0", group = "239.1.0.77" })", "is the rule's own input");
  wrong(range, R"({ interface = "e0", group = "239.1.1.1", port = 5010 })", "own input");
  const auto text =
      fmt::format("[[rule]]\ninput = {{ interface = \"e0\", {} }}\noutputs = [{}, {}]", block,
                  R"({ interface = "e1", group = "239.9.0.0/24" })",
                  R"({ interface = "e1", group = "239.9.0.255" })");
  check_each(
      {{text.c_str(), "3:58", "the rule already has the output 239.9.0.255:5000 on e1, at"}});
}

TEST_CASE("config: how much of what came is kept for captures") {
  const std::string rule =
      "\n[[rule]]\ninput = {" + fine_input + "}\noutputs = [" + fine_output + "]\n";
  CHECK(good(rule).rules.at(0).capture_before == 0);
  CHECK(good(rule + "capture_before = \"4 MiB\"").rules.at(0).capture_before == 4U << 20U);
  const auto wrong = rule + "capture_before = \"1 KiB\"";
  check_each({{wrong.c_str(), "5:18", "\"1 KiB\" is not from 4 KiB to 1 GiB"}});
  const auto most = rule + "capture_before = \"1 GiB\"";
  CHECK(good(most).rules.size() == 1);
  const auto more = most + "\n[[rule]]\nname = \"b\"\ncapture_before = 4096\noutputs = [" +
                    fine_output +
                    "]\ninput = { interface = \"e0\", group = \"239.1.1.7\", port = 5000 }\n";
  check_each({{more.c_str(), "7:8", "`capture_before` of all rules is more than 1 GiB"}});
}

TEST_CASE("config: the kernel's way, and what it leaves to the host") {
  const std::string rule =
      "\n[[rule]]\ninput = {" + fine_input + "}\noutputs = [" + fine_output + "]\n";
  CHECK(good(rule).daemon.fast_path == FastPathMode::off);
  CHECK(good(rule).rules.at(0).consume == Consume::automatic);
  CHECK(good("[daemon]\nfast_path = \"auto\"").daemon.fast_path == FastPathMode::automatic);
  CHECK(good("[daemon]\nfast_path = \"require\"").daemon.fast_path == FastPathMode::require);
  CHECK(good(rule + "consume = true").rules.at(0).consume == Consume::yes);
  CHECK(good(rule + "consume = false").rules.at(0).consume == Consume::no);
  CHECK(good(rule + "consume = \"auto\"").rules.at(0).consume == Consume::automatic);
  const auto wrong = rule + "consume = \"never\"";
  check_each({{"[daemon]\nfast_path = \"on\"", "2:13", "\"on\" is none of auto, off, require"},
              {wrong.c_str(), "5:11", "\"never\" is none of true, false, \"auto\""}});
}

}  // namespace mcr
