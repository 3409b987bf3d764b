// Mistakes in values: the place and the message that a user sees. Most tests are tables of TOML
// text.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "catch.hpp"
#include "config_text.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

TEST_CASE("config: mistakes of [daemon], [defaults] and the file") {
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
      {"[daemon]\nbatch_wait = \"20\"", "2:14", "\"20\" is not a time"},
      {"[daemon]\nbatch_wait = \"11ms\"", "2:14", "\"11ms\" is more than 10ms"},
      {"[daemon]\nbatch_wait = 20", "2:14", "batch_wait"},
      {"[daemon]\nidle = \"spin\"", "2:8", "\"spin\" is none of sleep, poll"},
      {"[daemon]\nrejoin = \"100ms\"", "2:10", "\"100ms\" is less than 1s"},
      {"[daemon]\nrejoin = \"4000s\"", "2:10", "\"4000s\" is more than 3600s"},
      {"[daemon]\nrejoin = true", "2:10", "expected a time"},
      {"[rules]", "1:2", "unknown key \"rules\" in the file; did you mean \"rule\"?"},
      {"[rule]", "1:1", "each rule begins with [[rule]], found a table"},
      {"rule = [1]", "1:9", "rule: expected a table, found an integer"},
  });
}

TEST_CASE("config: mistakes of [interface]") {
  check_each({
      {"[interface.e0]\ngro_wait = \"11ms\"", "2:12", "\"11ms\" is more than 10ms"},
      {"[interface.e0]\ngro = \"off\"\ngro_wait = \"20us\"", "3:12",
       "gro_wait: with gro = \"off\" nothing is changed"},
      {"[interface.e0]\ngro_wait = \"20us\"\ngro = \"leave\"", "2:12",
       "gro_wait: with gro = \"leave\" nothing is changed"},
      {"[interface]\neth0 = 3", "2:8", "[interface.eth0]: expected a table, found an integer"},
      {"[interface.eth0]\nrecieve_buffer = 9999", "2:1", "did you mean \"receive_buffer\"?"},
      {"[interface.eth0]\ngro = \"yes\"", "2:7", "\"yes\" is none of auto, on, off, leave"},
      {"[interface.eth0]\ningress = \"ring\"", "2:11", "\"ring\" is none of auto, recvmsg, mmap"},
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

TEST_CASE("config: mistakes of an input") {
  check_inputs({
      {R"({ group = "239.1.1.1", port = 5 })", "2:9", "an input needs an `interface`"},
      {R"({ interface = "e", port = 5 })", "2:9", "an input needs a `group`"},
      {R"({ interface = "e", group = "239.1.1.1" })", "2:9", "an input needs a `port`"},
      {R"({ interface = "e", group = "239.1.1.1", prot = 5, port = 5 })", "2:49",
       "unknown key \"prot\" in an input; did you mean \"port\"?"},
      {R"({ interface = "e", group = "239.1.1.1", colour = 5, port = 5 })", "2:49",
       "known here: interface, group, address, port, sources, vlan, local"},
      {R"({ interface = "", group = "239.1.1.1", port = 5 })", "2:23", "cannot be empty"},
      {R"({ interface = "a b", group = "239.1.1.1", port = 5 })", "2:23", "is no interface name"},
      {R"({ interface = "..", group = "239.1.1.1", port = 5 })", "2:23", "is no interface name"},
  });
}

TEST_CASE("config: mistakes of an input's port") {
  check_inputs({
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
  });
}

TEST_CASE("config: mistakes of an input's group") {
  check_inputs({
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
      {R"({ interface = "e", group = "ff02::1%eth0", port = 5 })", "2:36",
       "group: \"ff02::1%eth0\": leave \"%eth0\" out; `interface` says which link is meant"},
      {R"({ interface = "e", group = "ff02::g%eth0", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "[ff02::1]", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "::ffff:239.1.1.1", port = 5 })", "2:36",
       "is an IPv4 address in IPv6 form: write \"239.1.1.1\""},
      {R"({ interface = "e", group = "239.1.1", port = 5 })", "2:36", "is not an IP address"},
      {R"({ interface = "e", group = "239.1.1.1\u0000x", port = 5 })", "2:36", "is not an IP"},
  });
}

TEST_CASE("config: mistakes of an input's sources") {
  check_inputs({
      {R"({ interface = "e", group = "ff15::1", port = 5, sources = ["::ffff:10.0.0.0/120"] })",
       "2:68", "is a block of IPv4 addresses in IPv6 form"},
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
      {R"([{ interface = "e1", mode = 5 }])", "3:32",
       "interface, group, address, host, addresses, port, ttl"},
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

}  // namespace mcr
