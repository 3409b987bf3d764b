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
      "m=application 9 TCP/TLS 0\r\nc=IN IP4 239.1.4.1/32\r\n";
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

TEST_CASE("import: what is nothing harms nobody") {
  CHECK_FALSE(recognise_import(""));
  CHECK_FALSE(recognise_import("hello\n"));
  for (const auto format :
       {ImportFormat::smcroute, ImportFormat::igmpproxy, ImportFormat::sdp, ImportFormat::json5})
    for (const char* text : {"", "\n\n", "phyint", "mroute from", "m=\nc=\na=\n", "{\"rules\":5}",
                             "[]", "{\"rules\":[5,{\"input\":5}]}", "{'", "a=mid:x\nm=video\n"})
      CHECK(import_rules(format, text, with_port("5")).rules.empty());
}
