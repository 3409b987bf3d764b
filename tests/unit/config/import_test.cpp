// Configurations of other programs. What comes out must be accepted, and what has no counterpart be
// noted with its line.
#include "mcr/config/import.hpp"

#include <fmt/format.h>

#include "catch.hpp"
#include "mcr/config/load.hpp"

namespace {

using namespace mcr;
using nlohmann::json;

Config config_of(const Imported& imported) {
  const auto text = write_imported(imported, "f");
  const auto result = parse_config(text, "f");
  INFO(text << (result.errors.empty() ? "" : result.errors[0].str()));
  REQUIRE(result.errors.empty());
  return result.config;
}

std::vector<std::string> notes_of(const Imported& imported) {
  std::vector<std::string> notes;
  for (const auto& [line, text] : imported.notes)
    notes.push_back(fmt::format("{}: {}", line, text.substr(0, text.find_first_of(":,"))));
  return notes;
}

using Notes = std::vector<std::string>;

ImportOptions with_port(const std::string& port) {
  ImportOptions options;
  options.port = port;
  return options;
}

}  // namespace

TEST_CASE("import: routes of smcroute") {
  constexpr auto text = R"(# a comment
phyint eth0 enable ttl-threshold 11
mgroup from eth0 group 225.1.2.3
mgroup from eth0 group 225.9.9.9
mroute from eth0 group 225.1.2.3 to eth1 eth2
mroute from eth0 source 192.168.1.42 group 225.1.2.4 to eth1
mroute from eth0 group 225.5.0.0/24 to eth1
mroute from eth0 group 225.6.6.6
ssmgroup from eth0 source 10.0.0.1 group 232.1.1.1
include /etc/smcroute.d/*.conf
mroute from eth0 to eth1
)";
  REQUIRE(recognise_import(text) == ImportFormat::smcroute);
  const auto imported = import_rules(ImportFormat::smcroute, text, with_port("5000"));
  CHECK(notes_of(imported) == Notes{"2: ttl-threshold", "4: mgroup without an mroute from there",
                                    "8: mroute without `to` only stops traffic",
                                    "9: mgroup without an mroute from there", "10: include",
                                    "11: mroute"});
  const auto config = config_of(imported);
  REQUIRE(config.rules.size() == 3);
  CHECK(config.rules[0].name == "eth0/225.1.2.3");
  CHECK(config.rules[0].outputs.size() == 2);
  CHECK(config.rules[0].outputs[0].source.mode == Source::Mode::preserve);
  CHECK(config.rules[1].inputs[0].sources.size() == 1);
  CHECK(config.rules[2].inputs[0].addresses == 256);
  CHECK(import_rules(ImportFormat::smcroute, text, {}).rules.empty());
  CHECK(config_of(import_rules(ImportFormat::smcroute, text, with_port("5000-5003")))
            .rules[0]
            .inputs[0]
            .ports == 4);
}

TEST_CASE("import: igmpproxy") {
  constexpr auto text = R"(quickleave
phyint eth0 upstream ratelimit 0 threshold 1
        altnet 10.0.0.0/8
        whitelist 239.1.1.0/24
        whitelist 239.2.2.2
phyint eth1 downstream ratelimit 0 threshold 1
phyint eth2 downstream ratelimit 100 threshold 1
phyint ppp0 disabled
)";
  REQUIRE(recognise_import(text) == ImportFormat::igmpproxy);
  const auto imported = import_rules(ImportFormat::igmpproxy, text, with_port("5000"));
  CHECK(notes_of(imported) == Notes{"1: quickleave", "3: altnet", "7: ratelimit 100"});
  const auto config = config_of(imported);
  REQUIRE(config.rules.size() == 2);
  CHECK(config.rules[0].inputs[0].interface == "eth0");
  CHECK(config.rules[0].outputs[1].interface == "eth2");
  auto options = with_port("5000");
  options.groups = {"239.3.3.3"};
  CHECK(config_of(import_rules(ImportFormat::igmpproxy, text, options)).rules.size() == 1);
  CHECK(import_rules(ImportFormat::igmpproxy, "phyint eth0 upstream\n", with_port("5"))
            .rules.empty());
}

TEST_CASE("import: SDP, also of a stream that is sent twice") {
  const std::string text =
      "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=Camera 1\r\nt=0 0\r\na=group:DUP primary secondary\r\n"
      "m=video 5000 RTP/AVP 96\r\nc=IN IP4 239.1.1.1/32\r\n"
      "a=source-filter: incl IN IP4 239.1.1.1 10.0.0.5\r\na=mid:primary\r\n"
      "m=video 5002 RTP/AVP 96\r\nc=IN IP4 239.1.2.1/32\r\na=mid:secondary\r\n"
      "m=audio 5004 RTP/AVP 97\r\nc=IN IP4 239.1.3.1/32/2\r\n"
      "m=application 9 TCP/TLS 0\r\nc=IN IP4 239.1.4.1/32\r\na=rtcp:5011\r\nhello\r\n";
  REQUIRE(recognise_import(text) == ImportFormat::sdp);
  ImportOptions options;
  options.interface = "eth0";
  options.outputs = {{{"interface", "eth1"}}};
  const auto imported = import_rules(ImportFormat::sdp, text, options);
  const auto config = config_of(imported);
  REQUIRE(config.rules.size() == 2);
  CHECK(config.rules[0].name == "Camera 1 primary");
  REQUIRE(config.rules[0].inputs.size() == 2);
  CHECK(config.rules[0].inputs[0].sources.size() == 1);
  CHECK(config.rules[0].merge.has_value());
  CHECK(config.rules[1].name == "Camera 1 audio");
  const auto notes = notes_of(imported);
  CHECK(std::ranges::count(notes, "14: of 2 groups only the first is taken") == 1);
  CHECK(std::ranges::count(notes, "15: TCP/TLS is not UDP") == 1);
  CHECK(std::ranges::count(notes, "17: rtcp") == 1);
  CHECK(std::ranges::count(notes, "18: this is no line of an SDP") == 1);
  CHECK(import_rules(ImportFormat::sdp, text, {}).rules.empty());
}

TEST_CASE("import: the JSON5 of the relay in Rust") {
  constexpr auto text = R"({
  // pinned
  pinning: { "eth0": [0, 1], },
  rules: [
    { name: 'market "data"', input: { interface: "eth0", group: "239.1.1.1", port: 5001 },
      outputs: [ { interface: "eth1", group: "239.2.2.2", port: 5002 },
                 { interface: "eth1", group: "10.0.0.100", port: 6003 }, ], },
    /* unicast
       in */
    { input: { interface: "eth1", group: "10.0.0.50", port: 5002 },
      outputs: [ { interface: "eth0", group: "239.1.1.3", port: 5002 } ], qos: 3 },
  ],
})";
  REQUIRE(recognise_import(text) == ImportFormat::json5);
  const auto imported = import_rules(ImportFormat::json5, text, {});
  CHECK(notes_of(imported) == Notes{"3: pinning", "10: qos of a rule"});
  const auto config = config_of(imported);
  REQUIRE(config.rules.size() == 2);
  CHECK(config.rules[0].name == "market \"data\"");
  CHECK_FALSE(config.rules[0].outputs[1].destination.is_multicast());
  CHECK(config.rules[1].name == "eth1/10.0.0.50");
  const auto broken = import_rules(ImportFormat::json5, "{\nrules: [\n", {});
  REQUIRE(broken.notes.size() == 1);
  CHECK(broken.notes[0].line == 3);
}

TEST_CASE("import: all that JSON5 has beyond JSON") {
  constexpr auto text =
      "\xef\xbb\xbf"
      R"(/* one */ { // two
  multicast_ttl: 0xA, igmp: null, "scale": +Infinity, $jitter_µs: [-NaN, .5, 5., 1.e3, -0x1F, '\v\a',],
  rules: [ { 'name' /* a name */ : 'say \'on\
air\' \x41"', Infinity: 1e999,
      input: { interface: "eth0",)"
      "\xc2\xa0\v"
      R"(group: '239.1.1.1', port: 0x1389, protocol: null },
      outputs: [ { interface: "eth1", group: "239.2.2.2", port: +5002, },
                 { interface: "eth1", group: "239.2.2.3", port: 5003., ttl: 4, qos: 'a' },
                 { interface: "eth1", group: "10.0.0.9", port: 6003, ttl: null } ] },
    { input: { interface: "eth0", group: "239.1.1.9", port: 0, protocol: "esp" },
      outputs: [ { interface: "eth1", group: "239.2.2.9", port: 1 } ] },
    { outputs: [] },
    { input: { interface: "eth0", group: "239.1.1.5", port: 0xFFFFFFFFFFFFFFFF }, outputs: [] },
    { input: { interface: "eth0", group: "239.1.1.4", port: 4 }, outputs: [ 5 ] },
  ],
})";
  REQUIRE(recognise_import(text) == ImportFormat::json5);
  const auto imported = import_rules(ImportFormat::json5, text, {});
  CHECK(notes_of(imported) == Notes{"2: $jitter_µs", "2: scale", "5: qos of an input or output",
                                    "5: Infinity of a rule", "9: a rule for \"esp\"",
                                    "9: a rule without input or outputs",
                                    "12: no value of a rule can be 18446744073709551615",
                                    "13: a rule without input or outputs"});
  const auto config = config_of(imported);
  REQUIRE(config.rules.size() == 1);
  const auto& rule = config.rules[0];
  CHECK(rule.name == "say 'onair' A\"");
  CHECK(rule.inputs[0].port == 5001);
  CHECK(write_imported(imported, "f").find("ttl = 10") != std::string::npos);
  CHECK(rule.outputs[2].destination == *IpAddress::parse("10.0.0.9"));
  for (const char* no_json5 :
       {"{a: 0x}", "{a: 01}", "{a: 'b}", "{a: 'b\n'}", "{a: +-1}", "{a: \\}", "{a: 1 2}",
        "{a: 0x1p3}", "{a: .}", "{a: '\\x1'}", "{a: '\\", "{a b}"}) {
    const auto broken = import_rules(ImportFormat::json5, no_json5, {});
    INFO(no_json5);
    REQUIRE(broken.notes.size() == 1);
    CHECK(broken.notes[0].text == "the text is no JSON5");
  }
  const auto infinite = import_rules(ImportFormat::json5,
                                     "{rules:[{input:{interface:'a',group:'239.1.1.1',\nport:"
                                     "Infinity},outputs:[{interface:'b'}]}]}",
                                     {});
  REQUIRE(infinite.notes.size() == 1);
  CHECK(infinite.notes[0].line == 1);
  INFO(infinite.notes[0].text);
  CHECK(infinite.notes[0].text.find("port") != std::string::npos);
}

TEST_CASE("import: a rule that is refused for itself is said with its line, the others are taken") {
  const auto imported = import_rules(ImportFormat::smcroute,
                                     "mroute from eth0 group 225.1.1.1 to eth0\n"
                                     "mroute from eth0 group 225.1.1.2 to eth1\n",
                                     with_port("5000"));
  REQUIRE(imported.notes.size() == 1);
  CHECK(imported.notes[0].line == 1);
  CHECK(imported.notes[0].text.starts_with("the output is the rule's own input"));
  CHECK(config_of(imported).rules.size() == 1);
}

TEST_CASE("import: what is nothing harms nobody") {
  CHECK_FALSE(recognise_import(""));
  CHECK_FALSE(recognise_import("hello\n"));
  for (const auto format :
       {ImportFormat::smcroute, ImportFormat::igmpproxy, ImportFormat::sdp, ImportFormat::json5})
    for (const char* text : {"", "\n\n", "phyint", "mroute from", "m=\nc=\na=\n", "{\"rules\":5}",
                             "[]", "{\"rules\":[5,{\"input\":5}]}", "{'", "a=mid:x\nm=video\n"})
      CHECK(import_rules(format, text, with_port("5")).rules.empty());
}
