#include "mcr/status/doctor.hpp"

#include <fmt/format.h>
#include <net/if_arp.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/config/load.hpp"

using mcr::Config;
using mcr::Finding;
using mcr::HostFacts;
using mcr::Interface;
using mcr::InterfaceFacts;
using mcr::Interfaces;
using mcr::IpAddress;
using mcr::Severity;

namespace {

Interface interface(const char* name, unsigned index, std::uint32_t mtu = 1500) {
  Interface result;
  result.name = name;
  result.index = index;
  result.up = true;
  result.mtu = mtu;
  result.type = ARPHRD_ETHER;
  result.addresses = {*IpAddress::parse("10.0.0.1")};
  return result;
}

InterfaceFacts fine_facts() {
  InterfaceFacts facts;
  facts.gro = facts.udp_segmentation = facts.tx_checksum = true;
  facts.udp_gro_forwarding = false;  // MCR switches it on by itself
  facts.receive_queues = 4;
  facts.rp_filter = 2;
  facts.igmp_version = 3;
  return facts;
}

HostFacts fine_host() {
  HostFacts host;
  host.kernel_major = 6;
  host.kernel_minor = 12;
  host.descriptors = 524288;
  host.cpus = 4;
  host.sysctls = {{"net.core.rmem_max", 212992},
                  {"net.core.wmem_max", 212992},
                  {"net.core.optmem_max", 131072},
                  {"net.ipv4.igmp_max_memberships", 20},
                  {"net.ipv4.igmp_max_msf", 10}};
  host.interfaces = Interfaces({interface("eth0", 2), interface("eth1", 3)});
  host.details = {{"eth0", fine_facts()}, {"eth1", fine_facts()}};
  return host;
}

const char* const by_two_names = R"([[rule]]
name = "a"
input = { interface = "eth0", group = "239.1.1.1", port = 5000 }
outputs = [{ interface = "eth1", group = "239.2.2.2" }, { interface = "down", group = "239.2.2.3" }]

[interface.uplink]
gro = "off"

[[rule]]
name = "b"
input = { interface = "uplink", group = "239.1.1.2", port = 5000 }
outputs = [{ interface = "eth1", group = "239.2.2.4" }]
)";

const char* const one_rule = R"([[rule]]
name = "studio-a"
input = { interface = "eth0", group = "239.1.1.1", port = 5000, sources = ["10.0.0.5"] }
outputs = [{ interface = "eth1", group = "239.2.2.2" }]
)";

Config config(const std::string& text) {
  auto result = mcr::parse_config(text, "test");
  REQUIRE(result.errors.empty());
  return result.config;
}

std::vector<Finding> wrong(const HostFacts& host, const std::string& text = one_rule) {
  auto findings = mcr::diagnose(config(text), host);
  std::erase_if(findings, [](const Finding& finding) { return finding.severity == Severity::ok; });
  return findings;
}

/// A host that differs from a fine one, and the only finding that follows from it.
struct Case {
  void (*spoil)(HostFacts&);
  Severity severity;
  const char* subject;
  const char* text;
  const char* remedy;
};

InterfaceFacts& eth0(HostFacts& host) {
  return host.details["eth0"];
}
InterfaceFacts& eth1(HostFacts& host) {
  return host.details["eth1"];
}
void replace(HostFacts& host, Interface first, Interface second) {
  host.interfaces = Interfaces({std::move(first), std::move(second)});
}

// A fine host with one thing wrong, and the finding that it gives.
using S = Severity;
const Case spoiled_hosts[] = {
    {[](HostFacts& h) { h.kernel_major = 5; }, S::error, "kernel", "too old", "newer kernel"},
    {[](HostFacts& h) { h.kernel_minor = 1; }, S::note, "kernel", "no UDP GRO", "6.2"},
    {[](HostFacts& h) { h.io_uring = mcr::IoUring::forbidden; }, S::error, "io_uring", "forbidden",
     "sysctl -w kernel.io_uring_disabled=0"},
    {[](HostFacts& h) { h.io_uring = mcr::IoUring::missing; }, S::error, "io_uring", "has none",
     "CONFIG_IO_URING"},
    {[](HostFacts& h) { h.zero_copy_send = false; }, S::note, "io_uring", "without zero-copy", ""},
    {[](HostFacts& h) { h.net_raw = false; }, S::warning, "capabilities", "no CAP_NET_RAW",
     "sudo mcr doctor"},
    {[](HostFacts& h) { h.ipc_lock = false, h.memlock = 8U << 20U; }, S::warning, "locked memory",
     "8192 KiB", "LimitMEMLOCK=infinity"},
    {[](HostFacts& h) { h.registered_buffers = 64; }, S::warning, "locked memory",
     "room for 64 of a worker's 512", "LimitMEMLOCK=infinity"},
    {[](HostFacts& h) { h.descriptors = 100; }, S::warning, "descriptors", "limited to 100",
     "LimitNOFILE="},
    {[](HostFacts& h) { h.softnet_dropped = 9; }, S::note, "softnet", "9 frames",
     "netdev_max_backlog"},
    {[](HostFacts& h) { h.sysctls["net.ipv4.igmp_max_memberships"] = 0; }, S::error,
     "net.ipv4.igmp_max_memberships", "every join fails", "sysctl -w"},
    {[](HostFacts& h) { h.sysctls["net.ipv4.igmp_max_msf"] = 0; }, S::warning,
     "net.ipv4.igmp_max_msf", "every join of an input with `sources` fails", "sysctl -w"},
    {[](HostFacts& h) { replace(h, interface("eth0", 2), interface("eth9", 3)); }, S::warning,
     "interface eth1", "does not exist: rule studio-a waits", "create eth1"},
    {[](HostFacts& h) {
       auto down = interface("eth0", 2);
       down.up = false;
       replace(h, down, interface("eth1", 3));
     },
     S::warning, "interface eth0", "is down", "ip link set eth0 up"},
    {[](HostFacts& h) {
       auto bare = interface("eth1", 3);
       bare.addresses.clear();
       replace(h, interface("eth0", 2), bare);
     },
     S::warning, "interface eth1", "has no IPv4 address", "ip address add"},
    {[](HostFacts& h) {
       auto shaped = interface("eth1", 3);
       shaped.shaped = true;
       replace(h, interface("eth0", 2), shaped);
     },
     S::note, "interface eth1", "queueing discipline", "tc -s qdisc show dev eth1"},
    {[](HostFacts& h) { replace(h, interface("eth0", 2, 9000), interface("eth1", 3)); }, S::warning,
     "MTU eth0 to eth1", "above 1472 bytes", "ip link set eth1 mtu 9000"},
    {[](HostFacts& h) { eth0(h).multicast = false; }, S::warning, "interface eth0",
     "no multicast flag", "ip link set eth0 multicast on"},
    {[](HostFacts& h) { eth0(h).rp_filter = 1; }, S::warning, "interface eth0",
     "strict reverse-path filter", "net.ipv4.conf.eth0.rp_filter=2"},
    {[](HostFacts& h) { eth0(h).bridge = "br0", eth0(h).snooping = true; }, S::warning,
     "interface eth0", "bridge br0 snoops IGMP and is no querier",
     "ip link set br0 type bridge mcast_querier 1"},
    {[](HostFacts& h) { eth0(h).igmp_version = 2; }, S::warning, "interface eth0",
     "an IGMPv2 querier", "force_igmp_version=3"},
    {[](HostFacts& h) { eth0(h).gro = false; }, S::note, "interface eth0", "merges no packets",
     "gro = \"on\" in [interface.eth0]"},
    {[](HostFacts& h) { eth0(h).receive_queues = 1; }, S::note, "interface eth0",
     "one receive queue for 4 workers", "ethtool -L eth0 combined 4"},
    {[](HostFacts& h) { eth1(h).tx_checksum = false; }, S::note, "interface eth1",
     "computes no checksums", "ethtool -K eth1 tx on"},
    {[](HostFacts& h) { eth1(h).udp_segmentation = false; }, S::note, "interface eth1",
     "does not segment UDP", "ethtool -K eth1 tx-udp-segmentation on"},
};

}  // namespace

TEST_CASE("doctor: an interface is one, by however many names rules call it") {
  auto host = fine_host();
  auto first = interface("eth0", 2);
  first.alt_names = {"uplink"};
  auto second = interface("eth1", 3);
  second.alt_names = {"down"};
  second.up = false;
  replace(host, first, second);
  eth0(host).gro = false;
  const auto findings = wrong(host, by_two_names);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].subject == "interface eth1 = down");
  CHECK(findings[0].remedy.find("eth1") != std::string::npos);
}

TEST_CASE("doctor: a fine host has no findings, and each subject is named") {
  CHECK(wrong(fine_host()).empty());
  const auto text = mcr::render_findings(mcr::diagnose(config(one_rule), fine_host()), 80);
  INFO(text);
  for (const auto* subject :
       {"kernel: Linux 6.12", "io_uring: works", "capabilities", "interface eth0: input, MTU 1500",
        "interface eth1: output, MTU 1500", "0 errors, 0 warnings, 0 notes"})
    CHECK(text.find(subject) != std::string::npos);
  CHECK(mcr::diagnose({}, fine_host()).size() >= 3);
}

TEST_CASE("doctor: an output whose next hop is dead, or that has no route, is told") {
  const auto unicast = [](int error, bool assumed, mcr::Neighbour neighbour) {
    auto host = fine_host();
    const auto to = *IpAddress::parse("10.9.9.9");
    host.next_hops = {{{"eth1", to}, {error, assumed, to, neighbour}}};
    return wrong(host);
  };
  CHECK(unicast(0, false, mcr::Neighbour::usable).empty());
  CHECK(unicast(0, false, mcr::Neighbour::unknown).empty());
  const auto dead = unicast(0, false, mcr::Neighbour::failed);
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].severity == Severity::warning);
  CHECK(dead[0].subject == "output to 10.9.9.9");
  CHECK(dead[0].text == "10.9.9.9 does not answer on eth1: what is sent there is lost");
  CHECK(dead[0].remedy.find("ip neigh show dev eth1") != std::string::npos);
  const auto refused = unicast(ENETUNREACH, false, mcr::Neighbour::unknown);
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].text == "no route to 10.9.9.9 by eth1: Network is unreachable");
  const auto assumed = unicast(0, true, mcr::Neighbour::unknown);
  REQUIRE(assumed.size() == 1);
  CHECK(
      assumed[0].text.starts_with("no route to 10.9.9.9 by eth1: the kernel takes it for a host"));
  CHECK(assumed[0].remedy.starts_with("ip route add 10.9.9.9 via GATEWAY dev eth1"));
}

TEST_CASE("doctor: what is wrong is found, weighed, and has its remedy") {
  for (const auto& each : spoiled_hosts) {
    auto host = fine_host();
    each.spoil(host);
    const auto findings = wrong(host);
    INFO(each.subject << ": " << each.text);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].severity == each.severity);
    CHECK(findings[0].subject == each.subject);
    CHECK(findings[0].text.find(each.text) != std::string::npos);
    CHECK(findings[0].remedy.find(each.remedy) != std::string::npos);
  }
}

TEST_CASE("doctor: what it says of a rule is what status says") {
  auto host = fine_host();
  host.interfaces = Interfaces({interface("eth0", 2), interface("eth1", 3)});
  const auto* const two_outputs = R"([[rule]]
name = "a"
input = { interface = "eth0", group = "239.1.1.1", port = 5000 }
outputs = [{ interface = "eth1" }, { interface = "eth2" }]
[[rule]]
name = "b"
input = { interface = "eth0", group = "239.1.1.2", port = 5000 }
outputs = [{ interface = "eth2" }]
)";
  const auto missing = wrong(host, two_outputs);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].text == "does not exist: rule b waits; rule a runs without it");

  auto slave = interface("eth0", 2);
  slave.master_kind = mcr::MasterKind::bond;
  replace(host, slave, interface("eth1", 3));
  const auto enslaved = wrong(host);
  REQUIRE(enslaved.size() == 1);
  CHECK(enslaved[0].subject == "rule studio-a");
  CHECK(enslaved[0].text.find("a bond") != std::string::npos);

  const auto no_address = wrong(fine_host(), R"([[rule]]
name = "u"
input = { interface = "eth0", address = "10.7.7.7", port = 5000 }
outputs = [{ interface = "eth1", group = "239.1.1.1", source = "10.8.8.8" }]
)");
  REQUIRE(no_address.size() == 2);
  CHECK(no_address[0].text == "10.7.7.7 is no address of this host");
  CHECK(no_address[1].text == "source 10.8.8.8 is no address of this host");
}

TEST_CASE("doctor: a veth's receivers see superframes, unless segmentation is off") {
  auto host = fine_host();
  eth1(host).driver = "veth";
  const auto findings = wrong(host);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].severity == Severity::note);
  CHECK(findings[0].remedy.find("ethtool -K eth1 tx-udp-segmentation off") != std::string::npos);
  CHECK(wrong(host, std::string("[interface.eth1]\nsegmentation = \"off\"\n") + one_rule).empty());
  eth1(host).udp_segmentation = false;
  CHECK(wrong(host).size() == 1);  // only what is said of any card
}

TEST_CASE("doctor: why there is no kernel's way, where it is asked for") {
  auto host = fine_host();
  host.no_fast_path = "load the kernel's program: Operation not permitted";
  const auto with = [](const char* mode) {
    return std::string("[daemon]\nfast_path = \"") + mode + "\"\n" + one_rule;
  };
  CHECK(wrong(host, with("off")).empty());
  CHECK(wrong(fine_host(), with("require")).empty());
  const auto noted = wrong(host, with("auto"));
  REQUIRE(noted.size() == 1);
  CHECK(noted[0].severity == Severity::note);
  CHECK(noted[0].text ==
        "the kernel's way is not available (load the kernel's program: Operation not permitted): "
        "all goes through the workers");
  CHECK(wrong(host, with("require")).at(0).severity == Severity::error);
}

TEST_CASE("doctor: buffers are bounded by sysctls only without CAP_NET_ADMIN") {
  auto host = fine_host();
  host.net_admin = false;
  const auto text = std::string("[interface.eth0]\nreceive_buffer = \"64 MiB\"\n") + one_rule;
  const auto findings = wrong(host, text);
  REQUIRE(findings.size() == 3);  // the capability, too
  CHECK(findings[1].severity == Severity::warning);
  CHECK(findings[1].remedy == "sysctl -w net.core.rmem_max=67108864");
  CHECK(findings[2].remedy == "sysctl -w net.core.wmem_max=8388608");
  host.sysctls["net.core.rmem_max"] = 67108864;
  host.sysctls["net.core.wmem_max"] = 8388608;
  CHECK(wrong(host, text).size() == 1);
}

TEST_CASE("doctor: merged UDP on a kernel that cannot describe it is an error") {
  auto host = fine_host();
  host.kernel_minor = 1;
  eth0(host).udp_gro_forwarding = true;
  const auto findings = wrong(host);
  CHECK(std::ranges::any_of(findings, [](const Finding& finding) {
    return finding.severity == Severity::error &&
           finding.remedy == "ethtool -K eth0 rx-udp-gro-forwarding off";
  }));
}

TEST_CASE("doctor: a small option memory matters with many destinations only") {
  auto host = fine_host();
  host.sysctls["net.core.optmem_max"] = 20480;
  CHECK(wrong(host).empty());
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += "[[rule]]\ninput = { interface = \"eth0\", group = \"239.1." + std::to_string(i / 200) +
            "." + std::to_string(i % 200) +
            "\", port = 5000 }\noutputs = [{ interface = \"eth1\" }]\n";
  const auto findings = wrong(host, text);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].subject == "net.core.optmem_max");
}

TEST_CASE("doctor: for people the worst first, for programs all") {
  const std::vector<Finding> findings{
      {Severity::ok, "a", "fine", ""},
      {Severity::note, "b", "slow", "speed up"},
      {Severity::error, "c\x1b", "broken " + std::string(90, 'x'), "mend"}};
  const auto text = mcr::render_findings(findings, 40);
  INFO(text);
  CHECK(text.starts_with("error    c\\x1b: broken"));
  CHECK(text.find("\n      -> mend\n") != std::string::npos);
  CHECK(text.ends_with("1 error, 0 warnings, 1 note\n"));
  CHECK_FALSE(mcr::healthy(findings));
  const auto json = mcr::findings_to_json(findings);
  CHECK(json["ok"] == false);
  CHECK(json["findings"].size() == 3);
  CHECK(json["findings"][1]["severity"] == "note");
  CHECK(json["findings"][1]["remedy"] == "speed up");
}

TEST_CASE("doctor: what reflectors need beside MCR") {
  const auto found = [](const char* kind, bool avahi) {
    auto host = fine_host();
    host.avahi_reflects = avahi;
    const auto text = fmt::format(
        "[[reflector]]\nname = \"r\"\nkind = \"{}\"\ninterfaces = [\"eth0\", \"eth1\"]\n", kind);
    std::string severities;
    for (const auto& finding : mcr::diagnose(mcr::parse_config(text, "f").config, host))
      if (finding.subject == "reflector") severities += name(finding.severity);
    return severities;
  };
  CHECK(found("mdns", false) == "ok");
  CHECK(found("mdns", true) == "warning");
  CHECK(found("ssdp", true) == "note");
}
