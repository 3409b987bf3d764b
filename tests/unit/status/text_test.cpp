#include "mcr/status/text.hpp"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "catch.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/text_services.hpp"
#include "status_builder.hpp"

using namespace mcr::status;
using Json = nlohmann::json;
using mcr::drops_of;
using mcr::flat;
using mcr::healthy;
using mcr::ip;
using mcr::joined;
using mcr::MembershipState;
using mcr::RuleState;
using mcr::Status;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    result.push_back(line);
  return result;
}

std::size_t longest_line(const std::string& text) {
  std::size_t result = 0;
  for (const auto& line : lines(text))
    result = std::max(result, line.size());
  return result;
}

}  // namespace

TEST_CASE("status: all is well") {
  auto text = render_status(healthy(), 80);
  INFO(text);
  CHECK(lines(text)[0] == "OK 2 rules: 2 active");
  CHECK(lines(text)[1] == "mcr 0.1.0, pid 4711, up 2h, generation 3, /etc/mcr/mcr.toml");
  CHECK(has(text, "\nstudio-a  active  eth0 239.1.1.1:5000  12.3k   138M  0.2s\n"));
  CHECK(has(flat(text), "eth0 up 1500 off 2.47M 2.5 0 64 MiB 208 KiB"));
  CHECK(has(text, "2 of 2 memberships joined with 1 helper socket;"));
  CHECK(has(flat(text), "datagrams: 2,469,134 received"));
  CHECK_FALSE(has(text, "!"));
  CHECK(longest_line(text) <= 80);
  CHECK(text.back() == '\n');
}

TEST_CASE("status: what is wrong stands in front") {
  auto status = healthy();
  auto& rule = status.rules[1];
  rule.state = RuleState::waiting;
  rule.reason = {"interface eth7 does not exist"};
  auto text = render_status(status, 80);
  INFO(text);
  CHECK(lines(text)[0] == "ATTENTION 2 rules: 1 active, 1 waiting");
  CHECK(has(text, "  ! interface eth7 does not exist\n"));
  CHECK(text.find("\nstudio-b") < text.find("\nstudio-a"));
}

TEST_CASE("status: a disabled rule and a group being left are no trouble") {
  auto status = healthy();
  status.rules[1].state = RuleState::disabled;
  auto leaving = joined("239.1.1.9");
  leaving.state = MembershipState::leaving;
  status.memberships.push_back(leaving);
  CHECK(lines(render_status(status, 80))[0] == "OK 2 rules: 1 active, 1 disabled");
}

TEST_CASE("status: an active rule without a datagram says what to look at") {
  auto status = healthy();
  auto& rule = status.rules[0];
  rule.rx_datagrams = 0;
  rule.last_seen_s.reset();
  auto text = flat(render_status(status, 80));
  INFO(text);
  CHECK(has(text, "ATTENTION 2 rules: 2 active ! 1 active rule without a datagram yet"));
  CHECK(has(text, "never"));
  CHECK(has(text,
            "no datagram yet: joined, but nothing has arrived on eth0; check source, TTL, "
            "! IGMP snooping/querier") !=
        has(text,
            "no datagram yet: joined, but nothing has arrived on eth0; check source, TTL, "
            "IGMP snooping/querier"));

  status.memberships[0].state = MembershipState::failed;
  status.memberships[0].error = {"No buffer space available", ENOBUFS};
  text = flat(render_status(status, 80));
  CHECK(has(text, "no datagram yet: 239.1.1.1 is not joined on eth0: failed"));
  CHECK(has(text, "1 membership not joined"));
  CHECK(has(text, "239.1.1.1 on eth0: failed, No buffer space available"));

  status.memberships[0].state = MembershipState::joined;
  const auto of_kind = [&](std::uint16_t vlan, bool local) {
    auto changed = status;
    changed.rules[0].inputs[0].vlan = vlan;
    changed.rules[0].inputs[0].local = local;
    return flat(render_status(changed, 80));
  };
  CHECK(has(of_kind(100, false), "no datagram yet: nothing has arrived on eth0 for VLAN 100"));
  CHECK(has(of_kind(0, true), "no datagram yet: this host has sent nothing to 239.1.1.1:5000"));

  rule.inputs[0].destination = ip("10.0.0.9");
  text = flat(render_status(status, 80));
  CHECK(has(text, "no datagram yet: nothing has arrived for 10.0.0.9:5000 on eth0"));
}

TEST_CASE("status: drops are named where they happened, zeros are not") {
  auto status = healthy();
  drops_of(status.rules[0].drops, "bad_checksum") = 1200;
  drops_of(status.rules[0].outputs[0].drops, "egress_full") = 7;
  status.interfaces[0].kernel_drops = 33;
  status.interfaces[1].link_tx_dropped = 8;
  status.process.softnet_dropped = 1;
  drops_of(status.totals->drops, "bad_checksum") = 1200;
  drops_of(status.totals->tx_drops, "egress_full") = 7;
  auto text = render_status(status, 80);
  INFO(text);
  CHECK(lines(text)[0].starts_with("ATTENTION"));
  CHECK(has(text, "1 rule with drops since the start"));
  CHECK(has(text, "kernel drops on eth0\n"));
  CHECK(has(flat(text),
            "! 1 frame lost in this host's input queues: sysctl -w net.core.netdev_max_bac"));
  CHECK(
      has(flat(text), "discipline or link dropped 8 frames on transmit: tc -s qdisc show dev eth"));
  CHECK(has(text, "  ! dropped on input: 1,200 bad_checksum\n"));
  CHECK(has(text, "  ! output 239.2.2.2:6000 on eth1 dropped 7 egress_full\n"));
  CHECK(has(text, "  ! dropped on output: 7 egress_full\n"));
  CHECK(has(flat(text), "had no room for 33 frames: raise receive_buffer in [interface.eth0]"));
  CHECK_FALSE(has(text, "asked for"));
  status.interfaces[0].receive_buffer_asked = 32U << 20U;
  CHECK_FALSE(has(render_status(status, 80), "asked for"));
  status.interfaces[0].receive_buffer_asked = 64U << 20U;
  CHECK(has(flat(render_status(status, 80)),
            "receive_buffer is 32 MiB of the 64 MiB asked for: raise net.core.rmem_max"));
  CHECK_FALSE(has(text, "too_big"));
}

TEST_CASE("status: a relay that stands by for another is no trouble") {
  auto status = healthy();
  auto& rule = status.rules[0];
  rule.reflector = "all";
  auto& reflector = status.reflectors.emplace_back();
  reflector.name = "all";
  reflector.state = RuleState::active;
  reflector.interfaces = {"eth0", "eth1"};
  reflector.ways = {{"eth0", "eth1", 7}};
  rule.outputs[0].carrier = Carrier{"10.2.0.3:5353", 3.0};
  drops_of(rule.outputs[0].drops, "carried") = 12;
  drops_of(rule.drops, "loop") = 12;
  const auto page = render_status(status, 80);
  CHECK_FALSE(has(page, "!"));
  CHECK(lines(page)[0] == "OK 2 rules: 2 active");
  CHECK(has(flat(page),
            "from eth0 to 239.2.2.2:6000 on eth1: another relay, 10.2.0.3:5353, carries this; this "
            "one stands by (last datagram 3.0s ago)"));
  const auto one = render_rule(status, rule.name);
  CHECK(has(flat(one), "another relay, 10.2.0.3:5353, carries this; this one stands by"));
  CHECK_FALSE(has(one, "!"));

  rule.reflector = "";
  status.reflectors.clear();
  rule.outputs[0].carrier = Carrier{"", {}};
  const auto plain = render_status(status, 80);
  CHECK(has(flat(plain),
            "to 239.2.2.2:6000 on eth1: another relay carries this; this one stands by"));
  CHECK_FALSE(has(plain, "!"));
}

TEST_CASE("status: interfaces and outputs that wait") {
  auto status = healthy();
  status.interfaces[1].state = InterfaceState::missing;
  status.rules[0].outputs[0].state = OutputState::waiting;
  auto text = render_status(status, 80);
  INFO(text);
  CHECK(lines(text)[0].starts_with("ATTENTION"));
  CHECK(has(text, "not usable: eth1"));
  CHECK(has(text, "output 239.2.2.2:6000 on eth1 is waiting"));
}

TEST_CASE("status: GRO that merges nothing is told, and no trouble") {
  auto status = healthy();
  status.interfaces[0].gro = true;
  status.interfaces[0].gro_reason = "their UDP checksum is 0";
  auto text = render_status(status, 80);
  INFO(text);
  CHECK(lines(text)[0].starts_with("OK"));
  CHECK(has(text, "\n    GRO merges no datagrams: their UDP checksum is 0\n"));
}

TEST_CASE("status: no rules is idle, and fine") {
  auto status = healthy();
  status.rules.clear();
  CHECK(lines(render_status(status, 80))[0] == "OK no rules: idle");
}

TEST_CASE("status: long names fit into the width") {
  auto status = healthy();
  status.rules[0].name = std::string(200, 'x');
  status.rules[1].name = "enp129s0f0np0/239.255.255.255:65535";
  status.rules[1].reason.text =
      "a reason of many words that has to be broken into several lines "
      "since it would not fit otherwise";
  for (unsigned columns : {72U, 80U, 132U}) {
    auto text = render_status(status, columns);
    INFO(text);
    CHECK(longest_line(text) <= columns);
  }
  CHECK(render_status(status, 0) == render_status(status, 80));
  CHECK_FALSE(render_status(status, 1).empty());
}

TEST_CASE("status: both names of an interface are shown, however long one is") {
  auto status = healthy();
  status.interfaces[1].alt_names = {"enp2s0", "down-link-with-a-long-name"};
  status.rules[0].outputs[0].config.interface = "down-link-with-a-long-name";
  const auto page = render_status(status, 80);
  INFO(page);
  CHECK(page.find("\neth1 ") != std::string::npos);
  CHECK(page.find("    eth1 = down-link-with-a-long-name\n") != std::string::npos);
  CHECK(page.find("enp2s0") == std::string::npos);
}

TEST_CASE("status: columns stand under each other, also after wide and combining characters") {
  auto status = healthy();
  status.rules[0].name = "\u6f14\u64ad\u5ba4-a";  // 8 columns, 11 bytes
  status.rules[1].name = "cafe\u0301-bar";        // 8 columns, 10 bytes
  const auto text = render_status(status, 80);
  INFO(text);
  CHECK(has(text, "\n\u6f14\u64ad\u5ba4-a  active"));
  CHECK(has(text, "\ncafe\u0301-bar  active"));
}

TEST_CASE("status: control characters of a name never reach the terminal") {
  auto status = healthy();
  std::string evil =
      "a\x1b[2J\n\x7f\xc2\x9b"
      "31m\xe2\x80\xae"
      "b\xc3\xa9\xff\xe0\x82\x9b";
  status.rules[0].name = evil;
  for (const auto& text :
       {render_status(status, 200), render_rule(status, evil), render_rule(healthy(), evil)}) {
    INFO(text);
    CHECK(has(text, "a\\x1b[2J\\x0a\\x7f\\u{9b}31m\\u{202e}b\xc3\xa9\\xff\\xe0\\x82\\x9b"));
    CHECK(std::ranges::none_of(
        text, [](unsigned char c) { return (c < ' ' && c != '\n') || c == 0x7f; }));
    CHECK_FALSE(has(text, "\xc2\x9b"));
  }
}

TEST_CASE("status: memberships that fail in great number are folded, not listed") {
  auto status = healthy();
  for (int i = 0; i < 1000; ++i) {
    auto failed = joined("239.9.0.0");
    failed.group.group = failed.group.group.plus(static_cast<std::uint32_t>(i));
    failed.state = MembershipState::failed;
    status.memberships.push_back(failed);
  }
  auto text = render_status(status, 80);
  CHECK(lines(text).size() < 60);
  CHECK(has(flat(text), "! 1,000 on eth0: failed: 239.9.0.0, 239.9.0.1, 239.9.0.2 and 997 more"));
}

TEST_CASE("status: metrics that are refused are told") {
  auto status = healthy();
  status.process.metrics_refusal = {"listen for metrics at [::1]:9464: Address already in use"};
  CHECK(has(render_status(status, 80),
            "  ! listen for metrics at [::1]:9464: Address already in use; trying again\n"));
}

TEST_CASE("status: memberships that wait say so in words") {
  auto status = healthy();
  status.memberships[0].state = MembershipState::waiting_interface;
  CHECK(has(render_status(status, 80), "  ! 239.1.1.1 on eth0: waits for its interface\n"));
  CHECK(has(render_rule(status, "studio-a"), "membership waits for its interface\n"));
}

TEST_CASE("status: of trouble, rules with one reason are one line") {
  auto status = healthy();
  CHECK(render_trouble(status).empty());
  status.rules[0].state = RuleState::disabled;
  status.rules[1].state = RuleState::failed;
  for (int i = 0; i < 1000; ++i) {
    status.rules.push_back(mcr::healthy_rule("r" + std::to_string(i), "239.1.1.3"));
    status.rules.back().state = RuleState::waiting;
    status.rules.back().reason = {"interface eth7 does not exist"};
  }
  CHECK(render_trouble(status) ==
        "failed studio-b: \n"
        "waiting r0, r1, r2 and 997 more: interface eth7 does not exist\n");
}

TEST_CASE("status: one rule in full") {
  auto status = healthy();
  auto text = render_rule(status, "studio-a");
  INFO(text);
  CHECK(lines(text)[0] == "studio-a: active");
  CHECK(has(text, "  239.1.1.1:5000 on eth0 from 10.0.0.5\n    membership joined\n"));
  CHECK(has(flat(text),
            "received 1,234,567 datagrams, 1,728,393,800 bytes; last one 0.2s ago from "
            "10.0.0.5:4242"));
  CHECK(has(text, "  239.2.2.2:6000 on eth1, up\n"));
  CHECK(has(text, "1,234,567 matched = 1,234,560 sent + 0 dropped + 7 in flight\n"));
  CHECK(has(text, "1,234,560 zero-copy, 0 copied\n"));
  CHECK_FALSE(has(text, "!"));
  CHECK(longest_line(text) <= 80);
  CHECK(render_rule(status, "studio-c") == "no rule \"studio-c\"\n");

  status.rules[0].inputs[0].vlan = 100;
  status.rules[0].inputs[0].local = true;
  CHECK(
      has(render_rule(status, "studio-a"), "239.1.1.1:5000 on eth0, VLAN 100, sent by this host"));
}

namespace {

struct Lack {
  void (*spoil)(Status& status, Rule& rule);
  const char* remedy;
};
const Lack lacks[] = {
    {[](Status& s, Rule& r) {
       s.interfaces[0].state = InterfaceState::missing;
       r.state = RuleState::waiting;
     },
     "- create eth0, or correct its name"},
    {[](Status& s, Rule& r) {
       s.interfaces[0].state = InterfaceState::down;
       r.state = RuleState::waiting;
     },
     "- ip link set eth0 up; if it stays down it has no carrier"},
    {[](Status& s, Rule& r) {
       s.memberships[0].state = MembershipState::failed;
       s.memberships[0].error = {"whatever the text", ENOBUFS};
       r.state = RuleState::failed;
     },
     "- the kernel has no room for the group: raise the sysctls net.ipv4.igmp_max_memb"},
    {[](Status& s, Rule&) {
       s.memberships[0].state = MembershipState::failed;
       s.memberships[0].error = {"whatever the text", ENODEV};
     },
     "- eth0 has no IP configuration of the group's family: ip address add"},
    {[](Status& s, Rule&) {
       s.memberships[0].state = MembershipState::failed;
       s.memberships[0].error = {"No such device", EPERM};
     },
     "- the join is tried again after 1 to 30 s; mcr doctor looks at eth0"},
    {[](Status&, Rule& r) { r.outputs[0].state = OutputState::waiting; },
     "- give eth1 an address to send from: ip address add ADDRESS/LENGTH dev eth1"},
    {[](Status& s, Rule& r) {
       s.interfaces[1].state = InterfaceState::missing;
       r.outputs[0].state = OutputState::waiting;
     },
     "- create eth1, or correct its name"},
    {[](Status&, Rule& r) { r.rx_datagrams = 0; },
     "- is it on the wire? tcpdump -c 5 -ni eth0 udp port 5000 and host 239.1.1.1"},
    {[](Status&, Rule& r) { r.state = RuleState::silent; }, "IGMP snooping without a querier"},
    {[](Status&, Rule& r) {
       r.outputs[0].state = OutputState::waiting;
       r.outputs[0].config.source = {mcr::Source::Mode::address, ip("10.9.9.9")};
     },
     "- ip address add 10.9.9.9/LENGTH dev eth1, or name another `source`"},
    {[](Status&, Rule& r) {
       r.rx_datagrams = 0;
       r.inputs[0].destination = ip("10.0.0.1");
     },
     "- is it on the wire? tcpdump -c 5 -ni eth0 udp port 5000 and host 10.0.0.1"},
    {[](Status&, Rule& r) { r.rx_datagrams = 0, r.inputs[0].vlan = 100; },
     "tcpdump -c 5 -ni eth0 vlan 100 and udp port 5000 and host 239.1.1.1"},
    {[](Status&, Rule& r) { r.rx_datagrams = 0, r.inputs[0].local = true; },
     "does a program of this host send it, and by eth0?"},
    {[](Status&, Rule& r) { r.state = RuleState::disabled; },
     "- remove enabled = false from the rule"},
};

}  // namespace

TEST_CASE("status: whatever a rule lacks, there is something to do about it") {
  CHECK_FALSE(has(render_rule(healthy(), "studio-a"), "what to do"));
  for (const auto& lack : lacks) {
    auto status = healthy();
    lack.spoil(status, status.rules[0]);
    const auto text = render_rule(status, "studio-a");
    INFO(text);
    CHECK(has(flat(text), std::string("what to do ") + (lack.remedy[0] == '-' ? lack.remedy : "")));
    CHECK(has(flat(text), lack.remedy));
    CHECK(longest_line(text) <= 80);
  }
}

TEST_CASE("status: an output says how it sends, and what it waits for") {
  auto status = healthy();
  auto& output = status.rules[0].outputs[0];
  output.config.ttl = {mcr::Ttl::Mode::preserve};
  output.config.dscp.value = 46;
  output.config.source = {mcr::Source::Mode::address, ip("10.9.9.9")};
  output.config.source_port = 7000;
  output.config.loopback = true;
  auto text = render_rule(status, "studio-a");
  INFO(text);
  CHECK(has(text, "    ttl preserve, dscp EF, source 10.9.9.9, source port 7000, loopback on\n"));
  output.config.ttl = {};
  output.config.dscp = {};
  output.config.source = {};
  output.config.source_port = 40000;
  output.config.loopback = false;
  output.state = OutputState::waiting;
  output.reason = {"source is missing"};
  text = render_rule(status, "studio-a");
  CHECK(has(text, "    source interface, source port 40000\n"));
  CHECK(has(text, "    ! source is missing\n"));
}

TEST_CASE("status: every reason of the ledger is explained") {
  auto status = healthy();
  auto check = [&](auto& drops) {
    for (auto name : drops.names) {
      drops_of(drops, name) = 5;
      auto text = render_rule(status, "studio-a");
      INFO(text);
      const bool usual =
          name == "standby" || name == "duplicate" || name == "loop" || name == "carried";
      CHECK(
          has(text, (usual ? "      dropped 5 " : "    ! dropped 5 ") + std::string(name) + ": "));
      CHECK(longest_line(text) <= 80);
      drops_of(drops, name) = 0;
    }
  };
  check(status.rules[0].drops);
  check(status.rules[0].outputs[0].drops);
  status.rules[0].drops.others = {{"of_the_future", 5}};
  CHECK(has(render_rule(status, "studio-a"), "    ! dropped 5 of_the_future\n"));
}

namespace {

/// Removes or replaces a value somewhere in the tree.
void damage(Json& value, std::mt19937& random) {
  while (value.is_structured() && !value.empty() && random() % 6 != 0) {
    auto child = value.begin();
    std::advance(child, static_cast<std::ptrdiff_t>(random() % value.size()));
    if (random() % 8 == 0) {
      value.erase(child);
      return;
    }
    return damage(*child, random);
  }
  const Json others{nullptr,        -5,         1e300,     "text \x01", true, Json::array({1}),
                    Json::object(), UINT64_MAX, INT64_MIN, ""};
  value = others[random() % others.size()];
}

}  // namespace

TEST_CASE("status: whatever is missing or of another type, it is rendered") {
  CHECK_FALSE(render_status(Status(), 80).empty());
  CHECK_FALSE(render_rule(Status(), "studio-a").empty());
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    auto document = to_json(healthy());
    for (auto n = random() % 8; n-- > 0;)
      damage(document, random);
    const auto status = from_json(document);
    if (!status) continue;
    REQUIRE_FALSE(render_status(*status, unsigned(random() % 100)).empty());
    REQUIRE_FALSE(render_rule(*status, "studio-a").empty());
    REQUIRE(from_json(to_json(*status)) == status);
  }
}

TEST_CASE("text: the services that a reflector hears, in 80 columns") {
  Reflector reflector;
  reflector.name = "all";
  reflector.kind = "mdns";
  reflector.state = RuleState::active;
  reflector.interfaces = {"lan", "iot"};
  const std::string long_name(100, 'n');
  reflector.services = {{"lan", "_ipp._tcp", "Printer in the hall", "10.1.0.5", 3, 4497},
                        {"lan", "_ipp._tcp", long_name, "fe80::1234:5678:9abc:def0", 3, {}}};
  auto text = render_services(reflector);
  CHECK(has(text, "reflector all (mdns): active"));
  CHECK(has(text, "lan: 2 services heard"));
  CHECK(has(text, "_ipp._tcp  Printer in the hall "));
  CHECK(has(text, " 10.1.0.5 "));
  CHECK(has(text, "iot: no services heard"));
  CHECK_FALSE(has(text, "forgotten"));
  for (const auto& line : lines(text))
    CHECK(mcr::text_width(line) <= 80);
  reflector.services_forgotten = 5;
  CHECK(has(render_services(reflector), "5 more were heard and forgotten"));
  reflector.kind = "ssdp";
  CHECK(has(render_services(reflector), "Only services of mDNS are listed"));
}
