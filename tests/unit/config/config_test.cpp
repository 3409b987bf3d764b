// The configuration loader: the texts that it accepts, and for each mistake the position and the
// message that a user sees. Most tests are tables of TOML text.
#include "mcr/config/limits.hpp"
#include "mcr/config/load.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/config/dscp.hpp"

namespace mcr {
namespace {

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

std::string all(const ConfigResult& result) {
  std::string text;
  for (const auto& error : result.errors)
    text += error.str() + "\n";
  return text;
}

Config good(const std::string& text) {
  auto result = parse_config(text, "f");
  INFO(text << "\n" << all(result));
  REQUIRE(result.errors.empty());
  return result.config;
}

/// A rule in one line; `more` are keys after the outputs.
std::string rule(const std::string& name, const std::string& input, const std::string& outputs) {
  return fmt::format("[[rule]]\nname = \"{}\"\ninput = {{ {} }}\noutputs = [ {} ]\n", name, input,
                     outputs);
}

/// A rule from group `from` to group `to`, both on one interface.
std::string hop(const std::string& name, int from, int to) {
  return rule(
      name,
      fmt::format(R"(interface = "e", group = "239.0.{}.{}", port = 5)", from / 256, from % 256),
      fmt::format(R"({{ interface = "e", group = "239.0.{}.{}" }})", to / 256, to % 256));
}

using Numbers = std::vector<std::uint32_t>;

/// The numbers of the circles that the rules of this text are in, by rule; 0: none.
std::vector<std::uint32_t> circles(const std::string& text) {
  std::vector<std::uint32_t> numbers;
  for (const auto& each : good(text).rules)
    numbers.push_back(each.circle.number);
  return numbers;
}

/// Checks texts that are whole files and have one mistake each.
struct Wrong {
  const char* text;
  const char* at;
  const char* message;
};

void check_each(const std::vector<Wrong>& table) {
  for (const auto& [text, at, message] : table) {
    const auto result = parse_config(text, "f");
    INFO(text << "\n---\n" << all(result));
    REQUIRE(result.errors.size() == 1);
    const auto shown = result.errors.front().str();
    CHECK(shown.starts_with(fmt::format("f:{}: ", at)));
    INFO("expected: " << message);
    CHECK(shown.find(message) != std::string::npos);
  }
}

const std::string fine_input = R"(interface = "e0", group = "239.1.1.1", port = 5000)";
const std::string fine_output = R"({ interface = "e1" })";

/// One rule whose input is on line 2 (the table at column 9), its outputs on line 3.
void check_inputs(const std::vector<Wrong>& table) {
  for (const auto& [input, at, message] : table) {
    const auto text = fmt::format("[[rule]]\ninput = {}\noutputs = [{}]", input, fine_output);
    check_each({{text.c_str(), at, message}});
  }
}
void check_outputs(const std::vector<Wrong>& table) {
  for (const auto& [outputs, at, message] : table) {
    const auto text = fmt::format("[[rule]]\ninput = {{ {} }}\noutputs = {}", fine_input, outputs);
    check_each({{text.c_str(), at, message}});
  }
}

/// A directory that is removed with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mcr-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    const auto path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }

 private:
  std::string path_;
};

}  // namespace

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

TEST_CASE("config: mistakes of [daemon], [defaults], [interface] and the file") {
  check_each({
      {"[daemon]\nworkers = 0", "2:11", "workers: 0 is not from 1 to 64"},
      {"[daemon]\nworkers = 65", "2:11", "65 is not from 1 to 64"},
      {"[daemon]\nworkers = -9223372036854775808", "2:11", "is not from 1 to 64"},
      {"[daemon]\nworkers = \"all\"", "2:11", "\"all\" is neither \"auto\" nor an integer"},
      {"[daemon]\nworkers = 1.0", "2:11", "expected an integer from 1 to 64, found a float"},
      {"[daemon]\ncpus = 3", "2:8", "expected an array of CPU numbers, found an integer"},
      {"[daemon]\ncpus = []", "2:8", "cpus: is empty"},
      {"[daemon]\ncpus = [1, 2, 1]", "2:15", "CPU 1 is named twice"},
      {"[daemon]\ncpus = [1024]", "2:9", "1024 is not from 0 to 1023"},
      {"[daemon]\ncpus = [1, \"2\"]", "2:12", "found a string"},
      {"[daemon]\ncpus = [1, 2]\nworkers = 3", "2:8", "3 workers and 2 CPUs"},
      {"[daemon]\nfanout = \"rnd\"", "2:10", "\"rnd\" is none of hash, cpu, qm, lb"},
      {"[daemon]\nfanout = true", "2:10", "expected a string, found a boolean"},
      {"[daemon]\nlog_level = \"loud\"", "2:13", "none of error, warning, notice, info, debug"},
      {"[daemon]\nlog_levle = \"info\"", "2:1",
       "unknown key \"log_levle\" in [daemon]; did you mean \"log_level\"?"},
      {"[daemon]\ncolour = true", "2:1", "known here: workers, cpus, fanout, log_level"},
      {"[daemon]\nmetrics = 9464", "2:11", "such as \"127.0.0.1:9464\", found an integer"},
      {"[daemon]\nmetrics = \"localhost:9464\"", "2:11",
       "\"localhost:9464\" is not an address and"},
      {"[daemon]\nmetrics = \"127.0.0.1\"", "2:11", "is not an address and a port"},
      {"[daemon]\nmetrics_hosts = [\"a:1\"]", "2:18", "is no name of a host; it has no port"},
      {"[daemon]\nmetrics = \"239.1.1.1:80\"", "2:11", "is no address of a host"},
      {"daemon = 3", "1:10", "daemon: expected a table, found an integer"},
      {"[defaults]\nttl = 0", "2:7", "ttl: 0 is not from 1 to 255"},
      {"[defaults]\nport = 5", "2:1", "unknown key \"port\" in [defaults]"},
      {"[interface]\neth0 = 3", "2:8", "[interface.eth0]: expected a table, found an integer"},
      {"[interface.eth0]\nrecieve_buffer = 9999", "2:1", "did you mean \"receive_buffer\"?"},
      {"[interface.eth0]\ngro = \"yes\"", "2:7", "\"yes\" is none of auto, on, off, leave"},
      {"[interface.eth0]\ningress = \"ring\"", "2:11", "\"ring\" is none of recvmsg, mmap"},
      {"[daemon]\nbatch_wait = \"20\"", "2:14", "\"20\" is not a time"},
      {"[daemon]\nbatch_wait = \"11ms\"", "2:14", "\"11ms\" is more than 10ms"},
      {"[daemon]\nbatch_wait = 20", "2:14", "batch_wait"},
      {"[daemon]\nidle = \"spin\"", "2:8", "\"spin\" is none of sleep, poll"},
      {"[daemon]\nrejoin = \"100ms\"", "2:10", "\"100ms\" is less than 1s"},
      {"[daemon]\nrejoin = \"4000s\"", "2:10", "\"4000s\" is more than 3600s"},
      {"[daemon]\nrejoin = true", "2:10", "expected a time"},
      {"[interface.eth0]\nsend_buffer = \"64 MB\"", "2:15", "\"64 MB\" is not a size"},
      {"[interface.eth0]\nsend_buffer = \"-1 MiB\"", "2:15", "is not a size"},
      {"[interface.eth0]\nsend_buffer = \"99999999999999 GiB\"", "2:15", "is not a size"},
      {"[interface.eth0]\nsend_buffer = \"2 GiB\"", "2:15", "is not from 4 KiB to 1 GiB"},
      {"[interface.eth0]\nsend_buffer = 1073741825", "2:15", "not from 4096 to 1073741824"},
      {"[interface.eth0]\nsend_buffer = 1.5", "2:15", "expected a size, such as"},
      {"[interface.eth0.100]\nsend_buffer = 9999", "1:17", "[interface.\"eth0.100\"]"},
      {"[interface.\"a/b\"]", "1:12", "\"a/b\" is no interface name"},
      {"[interface.abcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-"
       "abcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-bcdefgh-]",
       "1:12", "too long for an interface name (127 bytes)"},
      {"[rules]", "1:2", "unknown key \"rules\" in the file; did you mean \"rule\"?"},
      {"[rule]", "1:1", "each rule begins with [[rule]], found a table"},
      {"rule = [1]", "1:9", "rule: expected a table, found an integer"},
  });
}

TEST_CASE("config: mistakes of a rule") {
  check_each({
      {"[[rule]]\ninput = 5\noutputs = [{ interface = \"e\", group = \"239.1.1.1\", port = 5 }]",
       "2:9", "input: expected a table, found an integer"},
      {"\n[[rule]]\noutputs = [{ interface = \"e\", group = \"239.1.1.1\", port = 5 }]", "2:1",
       "a rule needs an `input`"},
      {"\n[[rule]]\ninput = { interface = \"e\", group = \"239.1.1.1\", port = 5 }", "2:1",
       "a rule needs `outputs`"},
  });
  const auto with = [](const std::string& line) {
    return fmt::format("[[rule]]\n{}\ninput = {{ {} }}\noutputs = [{}]", line, fine_input,
                       fine_output);
  };
  const std::string long_name = "name = \"" + std::string(65, 'x') + "\"";
  const std::string long_comment = "comment = \"" + std::string(257, 'x') + "\"";
  const Wrong table[] = {
      {"name = \"\"", "2:8", "name: cannot be empty"},
      {"name = 5", "2:8", "name: expected a string, found an integer"},
      {"name = \"a\\nb\"", "2:8", "control characters cannot be in a name: \"a\\x0ab\""},
      {long_name.c_str(), "2:8", "65 bytes long, at most 64"},
      {"nmae = \"x\"", "2:1", "did you mean \"name\"?"},
      {"output = []", "2:1", "did you mean \"outputs\"?"},
      {"remark = \"x\"", "2:1",
       "unknown key \"remark\" in a rule; known here: name, input, inputs, outputs"},
      {"enabled = 1", "2:11", "enabled: expected true or false, found an integer"},
      {"comment = 1", "2:11", "comment: expected a string"},
      {"comment = \"a\\nb\"", "2:11", "control characters cannot be in a comment: \"a\\x0ab\""},
      {long_comment.c_str(), "2:11", "257 bytes long, at most 256"},
      {"inputs = [{ interface = \"e\", group = \"239.1.1.1\", port = 5 }]", "2:10",
       "a rule has an `input` or `inputs`, not both"},
      {"expect = 5", "2:10", "expect: expected a table, found an integer"},
      {"expect = {}", "2:10", "expect: is empty; say what must come, such as `min_pps`"},
      {"expect = { min_pps = 0 }", "2:22", "min_pps: 0 is not from 1 to"},
      {"expect = { silent_after = 2 }", "2:27", "expected a time, such as"},
      {"expect = { silent_after = \"900ms\" }", "2:27", "\"900ms\" is less than 1s"},
      {"expect = { silent_after = \"90000s\" }", "2:27", "\"90000s\" is more than 86400s"},
      {"expect = { silent_aftre = \"2s\" }", "2:12",
       "unknown key \"silent_aftre\" in `expect`; did you mean \"silent_after\"?"},
      {"\"a\\u0007\" = true", "2:1", "unknown key \"a\\x07\""},
  };
  for (const auto& [line, at, message] : table)
    check_each({{with(line).c_str(), at, message}});
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

TEST_CASE("config: a disabled rule competes with no other") {
  const auto first = rule("a", fine_input, fine_output);
  const auto back =
      rule("b", R"(interface = "e1", group = "239.1.1.1", port = 5000)", R"({ interface = "e0" })");
  CHECK(good(first + "enabled = false\n" + rule("b", fine_input, fine_output)).rules.size() == 2);
  CHECK(good(first + "enabled = false\n" + back).rules.size() == 2);
  CHECK(circles(first + back) == Numbers{1, 1});
}

TEST_CASE("config: mistakes of an input") {
  check_inputs({
      {R"({ group = "239.1.1.1", port = 5 })", "2:9", "an input needs an `interface`"},
      {R"({ interface = "e", port = 5 })", "2:9", "an input needs a `group`"},
      {R"({ interface = "e", group = "239.1.1.1" })", "2:9", "an input needs a `port`"},
      {R"({ interface = "e", group = "239.1.1.1", prot = 5, port = 5 })", "2:49",
       "unknown key \"prot\" in an input; did you mean \"port\"?"},
      {R"({ interface = "e", group = "239.1.1.1", colour = 5, port = 5 })", "2:49",
       "known here: interface, group, address, port, sources, vlan, local"},
      {R"({ interface = "e", group = "239.1.1.1", port = 0 })", "2:56", "0 is not from 1 to 65535"},
      {R"({ interface = "e", group = "239.1.1.1", port = 65536 })", "2:56", "65536 is not from"},
      {R"({ interface = "e", group = "239.1.1.1", port = "5" })", "2:56",
       R"("5" is neither a number nor a range of ports, such as "5000-5010")"},
      {R"({ interface = "e", group = "239.1.1.1", port = "5-x" })", "2:56", "is neither a number"},
      {R"({ interface = "e", group = "239.1.1.1", port = "5-9 " })", "2:56", "is neither a number"},
      {R"({ interface = "e", group = "239.1.1.1", port = "0-9" })", "2:56", "not from 1 to 65535"},
      {R"({ interface = "e", group = "239.1.1.1", port = "9-65536" })", "2:56", "not from 1 to"},
      {R"({ interface = "e", group = "239.1.1.1", port = "9-5" })", "2:56",
       "\"9-5\" ends before it begins"},
      {R"({ interface = "e", group = "239.1.1.1/24", port = 5 })", "2:36",
       "\"239.1.1.1/24\" has bits set behind its length: did you mean \"239.1.1.0/24\"?"},
      {R"({ interface = "e", group = "239.1.1.0/x", port = 5 })", "2:36",
       "\"239.1.1.0/x\" is not a block of addresses"},
      {R"({ interface = "e", group = "10.1.1.0/24", port = 5 })", "2:36",
       "10.1.1.0/24 are not multicast groups"},
      {R"({ interface = "e", group = "239.0.0.0/19", port = 5 })", "2:36",
       "239.0.0.0/19 are more than 4096 groups: the largest block is /20"},
      {R"({ interface = "e", group = "10.1.1.1", port = 5 })", "2:36",
       "group: 10.1.1.1 is not a multicast group"},
      {R"({ interface = "e", group = "240.0.0.0", port = 5 })", "2:36", "is not a multicast group"},
      {R"({ interface = "e", group = "2001:db8::1", port = 5 })", "2:36",
       "group: 2001:db8::1 is not a multicast group (ff00::/8)"},
      {R"({ interface = "e", group = "ff10::1", port = 5 })", "2:36",
       "group: ff10::1 has the reserved scope 0"},
      {R"({ interface = "e", group = "ff01::1", port = 5 })", "2:36",
       "group: ff01::1 is interface-local: such groups never leave their host"},
      {R"({ interface = "e", group = "ff01::100/120", port = 5 })", "2:36",
       "group: ff01::100/120 is interface-local"},
      {R"({ interface = "e", group = "ff15::/96", port = 5 })", "2:36",
       "ff15::/96 are more than 4096 groups: the largest block is /116"},
      {R"({ interface = "e", group = "ff15::1", port = 5, sources = ["::ffff:10.0.0.0/120"] })",
       "2:68", "is a block of IPv4 addresses in IPv6 form"},
      {R"({ interface = "e", group = "ff02::1%eth0", port = 5 })", "2:36",
       "group: \"ff02::1%eth0\": leave \"%eth0\" out; `interface` says which link is meant"},
      {R"({ interface = "e", group = "ff02::g%eth0", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "[ff02::1]", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "::ffff:239.1.1.1", port = 5 })", "2:36",
       "is an IPv4 address in IPv6 form: write \"239.1.1.1\""},
      {R"({ interface = "e", group = "239.1.1", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "239.1.1.1\u0000x", port = 5 })", "2:36", "is not an IP"},
      {R"({ interface = "", group = "239.1.1.1", port = 5 })", "2:23", "cannot be empty"},
      {R"({ interface = "a b", group = "239.1.1.1", port = 5 })", "2:23", "is no interface name"},
      {R"({ interface = "..", group = "239.1.1.1", port = 5 })", "2:23", "is no interface name"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = [] })", "2:69", "is empty"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = "10.0.0.1" })", "2:69",
       "expected an array of IP addresses, found a string"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.0.0.1", "10.0.0.1"] })",
       "2:82", "10.0.0.1 is named twice"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.0.0.0/8", "10.1.0.1"] })",
       "2:84", "10.0.0.0/8 and 10.1.0.1 overlap"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.1.0.1", "10.0.0.0/8"] })",
       "2:82", "10.1.0.1 and 10.0.0.0/8 overlap"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.1.0.5/24"] })", "2:70",
       "\"10.1.0.5/24\" has bits set behind its length: did you mean \"10.1.0.0/24\"?"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.1.0.0/33"] })", "2:70",
       "\"10.1.0.0/33\" is not a block of addresses, such as"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.1/16"] })", "2:70",
       "is not a block of addresses"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["10.1.0.0/"] })", "2:70",
       "is not a block of addresses"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["239.1.0.0/16"] })", "2:70",
       "239.1.0.0/16 are multicast groups, not hosts"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["239.0.0.1"] })", "2:70",
       "239.0.0.1 is a multicast group, not the address of one host"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, sources = ["fe80::1"] })", "2:69",
       "sources: fe80::1 cannot send to 239.1.1.1: one is IPv4, the other IPv6"},
      {R"({ interface = "e", group = "ff15::1", port = 5, sources = ["10.0.0.1"] })", "2:67",
       "sources: 10.0.0.1 cannot send to ff15::1"},
      {R"({ interface = "e", group = "ff15::1", port = 5, sources = ["ff15::2"] })", "2:68",
       "ff15::2 is a multicast group, not the address of one host"},
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

TEST_CASE("config: mistakes of an input's kind") {
  check_inputs({
      {R"({ interface = "e", group = "239.1.1.1", address = "10.0.0.1", port = 5 })", "2:9",
       "an input has a `group` or an `address`, not both"},
      {R"({ interface = "e", address = "239.1.1.1", port = 5 })", "2:38",
       "239.1.1.1 is a multicast group, not the address of one host; a group is written as "
       "`group`"},
      {R"({ interface = "e", address = "0.0.0.0", port = 5 })", "2:38",
       "0.0.0.0 is not the address of one host"},
      {R"({ interface = "e", group = "10.0.0.1", port = 5 })", "2:36",
       "an address of this host is written as `address`"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, vlan = 0 })", "2:66",
       "vlan: 0 is not from 1 to 4094"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, vlan = 4095 })", "2:66",
       "vlan: 4095 is not from 1 to 4094"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, vlan = "5" })", "2:66",
       "expected an integer from 1 to 4094, found a string"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, local = 1 })", "2:67",
       "local: expected true or false, found an integer"},
      {R"({ interface = "e", group = "239.1.1.1", port = 5, local = true, vlan = 5 })", "2:80",
       "vlan: with `local` name the VLAN's own interface"},
  });
}

TEST_CASE("config: the outputs of a unicast input must name a destination") {
  const auto unicast = R"(interface = "e", address = "10.0.0.1", port = 5)";
  CHECK(good(rule("a", unicast, R"({ interface = "e1", group = "239.1.1.1" })")).rules.size() == 1);
  check_each({{rule("a", unicast, R"({ interface = "e1" })").c_str(), "4:13",
               "an output of a unicast input needs a `group` or an `address`"}});
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

TEST_CASE("config: mistakes of outputs") {
  check_outputs({
      {"[]", "3:11", "outputs: is empty; a rule needs at least one output"},
      {R"({ interface = "e1" })", "3:11", "expected an array of tables"},
      {"[ 5 ]", "3:13", "outputs: expected a table, found an integer"},
      {"[{ port = 5 }]", "3:12", "an output needs an `interface`"},
      {R"([{ interface = "e1", group = "10.0.0.1" }])", "3:40",
       "10.0.0.1 is not a multicast group (224.0.0.0 to 239.255.255.255); a host is written as"},
      {R"([{ interface = "e1", address = "239.0.0.1" }])", "3:42",
       "239.0.0.1 is a multicast group, not the address of one host; a group is written as"},
      {R"([{ interface = "e1", address = "255.255.255.255" }])", "3:42",
       "is written \"broadcast\""},
      {R"([{ interface = "e1", address = "0.0.0.0" }])", "3:42", "not the address of one host"},
      {R"([{ interface = "e1", address = "::" }])", "3:42", "not the address of one host"},
      {R"([{ interface = "e1", address = "fe80::1%e1" }])", "3:42", "leave \"%e1\" out"},
      {R"([{ interface = "e1", address = "ff15::1" }])", "3:42",
       "ff15::1 is a multicast group, not the address of one host; a group is written as"},
      {R"([{ interface = "e1", group = "ff01::1" }])", "3:40", "ff01::1 is interface-local"},
      {R"([{ interface = "e1", address = "10.0.0.1", group = "239.0.0.1" }])", "3:12",
       "a `group` or an `address`, not both"},
      {R"([{ interface = "e1", ttl = 256 }])", "3:38", "ttl: 256 is not from 1 to 255"},
      {R"([{ interface = "e1", ttl = "keep" }])", "3:38",
       R"("keep" is neither a number from 1 to 255 nor "preserve" or "decrement")"},
      {R"([{ interface = "e1", max_pps = 0 }])", "3:42", "max_pps: 0 is not from 1 to 1000000000"},
      {R"([{ interface = "e1", max_pps = "9" }])", "3:42", "expected an integer from 1"},
      {R"([{ interface = "e1", max_bps = 0 }])", "3:42", "0 is not from 1 to 1000000000000"},
      {R"([{ interface = "e1", max_bps = "10 MBit" }])", "3:42",
       "\"10 MBit\" is not a rate: write"},
      {R"([{ interface = "e1", max_bps = "0 Mbit" }])", "3:42", "is not from 1 bit to 1000 Gbit"},
      {R"([{ interface = "e1", max_bps = "1001 Gbit" }])", "3:42", "is not from 1 bit to 1000"},
      {R"([{ interface = "e1", max_bps = 1.5 }])", "3:42", "expected a rate, such as \"10 Mbit\""},
      {R"([{ interface = "e1", tll = 5 }])", "3:32", "did you mean \"ttl\"?"},
      {R"([{ interface = "e1", mode = 5 }])", "3:32", "interface, group, address, port, ttl"},
      {R"([{ interface = "e1", source = "eth0" }])", "3:41", "\"eth0\" is not an IP"},
      {R"([{ interface = "e1", source = "239.1.1.1" }])", "3:41", "is a multicast group"},
      {R"([{ interface = "e1", source = 7 }])", "3:41",
       R"(expected "interface", "preserve" or an address in a string, found an integer)"},
      {R"([{ interface = "e1", source_port = 0 }])", "3:46",
       "source_port: 0 is not from 1 to 65535"},
      {R"([{ interface = "e1", loopback = 1 }])", "3:43",
       "loopback: expected true or false, found an integer"},
      {R"([{ interface = "e1", address = "10.0.0.1", loopback = true }])", "3:65",
       "loopback: only outputs to a group can have it"},
      {R"([{ interface = "e1", dscp = 64 }])", "3:39", "dscp: 64 is not from 0 to 63"},
      {R"([{ interface = "e1", dscp = "ef" }])", "3:39",
       R"("ef" is neither a number from 0 to 63 nor "preserve" or one of CS0, CS1)"},
      {R"([{ interface = "e1", dscp = true }])", "3:39",
       "dscp: expected an integer from 0 to 63, found a boolean"},
      {R"([{ interface = "e0" }])", "3:12",
       "the output is the rule's own input, 239.1.1.1:5000 on e0"},
      {R"([{ interface = "e1" }, { interface = "e1", group = "239.1.1.1", ttl = 3 }])", "3:34",
       "the rule already has the output 239.1.1.1:5000 on e1, at f:3:12"},
  });
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

TEST_CASE("config: all mistakes of one input or output are reported at once") {
  const auto of_output = parse_config(
      rule(
          "a", fine_input,
          R"({ interface = "e1", address = "10.0.0.1", ttl = 0, loopback = true, source = "fd00::1" })"),
      "f");
  INFO(all(of_output));
  CHECK(of_output.errors.size() == 3);
  const auto of_input = parse_config(
      rule("a", fine_input + R"(, sources = ["fd00::1", "10.0.0.1", "fd00::2"])", fine_output),
      "f");
  INFO(all(of_input));
  CHECK(of_input.errors.size() == 2);
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

TEST_CASE("config: all mistakes are reported at once, in the order of the text") {
  const auto result = parse_config(R"([[rule]]
name = ""
input = { interface = "e0", group = "10.1.1.1", port = 0 }
outputs = [ { group = "239.1.1.1" }, { interface = "e1", ttl = 0 } ]
[daemon]
workers = 0
[[rule]]
)",
                                   "f");
  std::vector<std::string> places;
  for (const auto& error : result.errors)
    places.push_back(fmt::format("{}:{}", error.line, error.column));
  INFO(all(result));
  CHECK(places ==
        std::vector<std::string>{"2:8", "3:37", "3:56", "4:13", "4:64", "6:11", "7:1", "7:1"});
}

TEST_CASE("config: errors beyond the maximum are counted") {
  std::string text;
  for (int i = 0; i < 10'005; ++i)
    text += fmt::format("k{} = 1\n", i);
  const auto result = parse_config(text, "f");
  REQUIRE(result.errors.size() == limits::config_errors + 1);
  CHECK(result.errors.back().str() == "f:10001:1: 5 more errors from here on");
}

TEST_CASE("config: mistakes of syntax") {
  std::string garbage(4096, '\0');
  std::minstd_rand random(1);
  for (char& byte : garbage)
    byte = static_cast<char>(random());
  const std::string texts[] = {
      "[daemon",
      "[daemon]\n[daemon]",
      "a = ",
      std::string("a = \"x\0y\"", 9),
      "a = \"\xff\"",
      garbage,
      "a = " + std::string(100'000, '['),
      "a = " + std::string(100'000, '{'),
  };
  for (const auto& text : texts) {
    const auto result = parse_config(text, "f");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors.front().line > 0);
  }
}

TEST_CASE("config: dotted keys of any depth do not exhaust the stack") {
  std::string deep = "a";
  for (int i = 0; i < 1'000'000; ++i)
    deep += ".a";
  for (const auto& text : {"\n" + deep + " = 1", "\n[" + deep + "]", "\nx = {" + deep + " = 1}"}) {
    const auto result = parse_config(text, "f");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors.front().line == 2);
    CHECK(result.errors.front().message == "nested too deeply: more than 32 levels");
  }
  // A mistake before the deep key is reported first. Dots in comments and strings do not count.
  CHECK(parse_config("a = = 1\n" + deep + " = 1", "f").errors.front().line == 1);
  const std::string dots(100, '.');
  good("# " + dots + "\n" + rule("a" + dots.substr(0, 50), fine_input, fine_output));
  const auto texts =
      parse_config("a = \"\"\"\\\"\"\"" + dots + "\"\"\"\"\nb = '" + dots + "'", "f");
  CHECK(all(texts).find("deep") == std::string::npos);
}

TEST_CASE("config: characters beyond ASCII only in quotes and comments") {
  check_each({
      {"\n[d\u00e4mon]", "2:3", "not ASCII stands outside of quotes"},
      {"[[rule]]\ninput = {a=1, \u00e9=2}", "2:15", "not ASCII stands outside of quotes"},
      {"[[rule]]\nname = [\n\"\u00e9\", \u00e9]", "3:6", "not ASCII stands outside of quotes"},
      {"a = \"\"\"x\ny\"\"\" \u00e9", "2:6", "not ASCII stands outside of quotes"},
      {"= 1\n\u00a0= 1", "1:1", "expected"},
      {"a\u00a0= 1", "1:2", "not ASCII stands outside of quotes"},
  });
  const auto text = "\xEF\xBB\xBF# \u00e4\n" + rule("\u00e4 \u4e16", fine_input, fine_output);
  CHECK(good(text).rules.at(0).name == "\u00e4 \u4e16");
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

TEST_CASE("config: 10,000 rules in one chain or circle are checked quickly") {
  std::string text;
  for (int i = 0; i < 9'999; ++i)
    text += hop(fmt::format("r{}", i), i, i + 1);
  CHECK(good(text).rules.size() == 9'999);
  const auto before = std::chrono::steady_clock::now();
  const auto numbers = circles(text + hop("last", 9'999, 0));
  const auto took = std::chrono::steady_clock::now() - before;
  CHECK(numbers == Numbers(10'000, 1));
  CHECK(took < std::chrono::seconds(10));  // generous: sanitizers, busy machines
}

TEST_CASE("config: conf.d is read in name order, with the defaults of the main file") {
  const Folder folder;
  const std::string main = folder / "mcr.toml";
  folder.write("mcr.toml", "[defaults]\nttl = 5\n" + hop("main", 1, 2));
  CHECK(load_config(main).config.rules.size() == 1);  // no conf.d yet

  folder.write("conf.d/20-b.toml", hop("b", 5, 6));
  folder.write("conf.d/10-a.toml", hop("a", 3, 4));
  folder.write("conf.d/.hidden.toml", "garbage");
  folder.write("conf.d/README", "garbage");
  const auto result = load_config(main);
  INFO(all(result));
  REQUIRE(result.errors.empty());
  std::string names;
  for (const auto& each : result.config.rules) {
    names += each.name + " ";
    CHECK(each.outputs.at(0).ttl == Ttl::of(5));
  }
  CHECK(names == "main a b ");
}

TEST_CASE("config: mistakes of all files are reported together, the main file's first") {
  const Folder folder;
  const std::string main = folder / "mcr.toml";
  const std::string a = folder / "conf.d/a.toml";
  const std::string b = folder / "conf.d/b.toml";
  const std::string c = folder / "conf.d/c.toml";
  folder.write("mcr.toml", "[daemon]\nworkers = 0\n" + hop("x", 1, 2));
  folder.write("conf.d/a.toml", "[daemon]\nworkers = 0\n[defaults]\n[interface.e]\n[unknown]\n");
  folder.write("conf.d/b.toml", "= syntax\n= and more");
  folder.write("conf.d/c.toml", hop("x", 2, 1));
  const auto result = load_config(main);
  const std::vector<std::string> expected = {
      main + ":2:11: workers: 0 is not from 1 to 64",
      a + ":1:2: [daemon] belongs in the main file, " + main,
      a + ":3:2: [defaults] belongs in the main file, " + main,
      a + ":4:2: [interface] belongs in the main file, " + main,
      a + ":5:2: unknown key \"unknown\" in the file; known here: daemon, defaults, interface, "
          "rule",
      b + ":1:1: ",
      c + ":2:8: a rule named \"x\" is already at " + main + ":4:8",
  };
  INFO(all(result));
  REQUIRE(result.errors.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(result.errors[i].str().starts_with(expected[i]));
}

TEST_CASE("config: files that cannot be read") {
  const Folder folder;
  const auto only = [](const std::string& path) {
    const auto result = load_config(path);
    INFO(all(result));
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].line == 0);
    return result.errors[0].str();
  };
  const std::string missing = folder / "missing.toml";
  CHECK(only(missing) == missing + ": cannot read: No such file or directory");
  CHECK(only(folder / "").find("is a directory") != std::string::npos);
  CHECK(only("/dev/zero").find("is a device") != std::string::npos);
  const std::string fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(only(fifo).find("is a FIFO") != std::string::npos);

  folder.write("big.toml", "");
  std::filesystem::resize_file(folder / "big.toml", limits::config_bytes + 1);
  CHECK(only(folder / "big.toml").find("more than the 16 MiB") != std::string::npos);

  folder.write("mcr.toml", "");
  std::filesystem::create_directories(folder / "conf.d/x.toml");
  CHECK(only(folder / "mcr.toml").find("conf.d/x.toml: cannot read: is a directory") !=
        std::string::npos);
  std::filesystem::remove_all(folder / "conf.d");
  folder.write("conf.d", "a file");
  CHECK(only(folder / "mcr.toml").find("conf.d: cannot read: Not a directory") !=
        std::string::npos);
}

TEST_CASE("config: two configurations are compared rule by rule") {
  const Config before = good(hop("a", 1, 2) + hop("b", 3, 4) + hop("c", 5, 6));
  CHECK(compare_configs(before, before) == ConfigDifference{0, 0, 0, 3});
  CHECK(compare_configs(before, good(hop("c", 5, 6) + hop("a", 1, 2) + hop("b", 3, 4))).unchanged ==
        3);
  const Config after = good(hop("a", 1, 2) + hop("b", 3, 9) + hop("d", 5, 6) + hop("e", 7, 8));
  CHECK(compare_configs(before, after).str() == "+2 -1 ~1 =1");
  CHECK(compare_configs(Config{}, before).str() == "+3 -0 ~0 =0");
  CHECK(compare_configs(before, Config{}).str() == "+0 -3 ~0 =0");
}

}  // namespace mcr
