#include "mcr/host/interfaces.hpp"

#include <net/if_arp.h>

#include "catch.hpp"

using namespace mcr;

namespace {

Interface link(const char* name, unsigned index) {
  Interface result;
  result.name = name;
  result.index = index;
  return result;
}

}  // namespace

TEST_CASE("interfaces are found by name and by index") {
  const Interfaces interfaces({link("eth1", 7), link("lo", 1), link("eth0", 3)});
  CHECK(interfaces.find("eth0")->index == 3);
  CHECK(interfaces.find(7)->name == "eth1");
  CHECK(interfaces.find("eth") == nullptr);
  CHECK(interfaces.find(2) == nullptr);
  CHECK(interfaces.find(8) == nullptr);
  CHECK(interfaces.all().front().name == "lo");
  CHECK(Interfaces().find("lo") == nullptr);
}

TEST_CASE("interfaces are found by their alternative names; a name comes first") {
  auto first = link("eth0", 1);
  first.alt_names = {"uplink", "eth1"};
  const Interfaces interfaces({first, link("eth1", 2)});
  CHECK(interfaces.find("uplink")->index == 1);
  CHECK(interfaces.find("eth1")->index == 2);
  CHECK(interfaces != Interfaces({link("eth0", 1), link("eth1", 2)}));
}

TEST_CASE("interfaces are equal whatever their order, and differ by each detail") {
  const Interfaces interfaces({link("a", 1), link("b", 2)});
  CHECK(interfaces == Interfaces({link("b", 2), link("a", 1)}));
  auto other = link("b", 2);
  SECTION("state") {
    other.up = true;
  }
  SECTION("mtu") {
    other.mtu = 9000;
  }
  SECTION("shaped") {
    other.shaped = true;
  }
  SECTION("point to point") {
    other.point_to_point = true;
  }
  SECTION("master") {
    other.master = 3;
  }
  SECTION("master kind") {
    other.master_kind = MasterKind::bridge;
  }
  SECTION("address") {
    other.addresses.push_back(IpAddress::v4(0x0A000001));
  }
  SECTION("incarnation") {
    other.incarnation = 1;
  }
  CHECK_FALSE(interfaces == Interfaces({link("a", 1), other}));
}

TEST_CASE("a source is the first address of its family") {
  auto eth0 = link("eth0", 1);
  const auto group = IpAddress::parse("239.1.1.1").value();
  CHECK(eth0.source(group) == nullptr);
  eth0.addresses = {IpAddress::parse("2001:db8::1").value(), IpAddress::parse("10.0.0.1").value(),
                    IpAddress::parse("10.0.0.2").value()};
  CHECK(eth0.source(group)->str() == "10.0.0.1");
  CHECK(eth0.source(IpAddress::parse("ff15::1").value())->str() == "2001:db8::1");
}

TEST_CASE("an IPv6 source is as wide as its destination") {
  struct Case {
    std::vector<const char*> addresses;
    const char* destination;
    const char* expected;  ///< null: none
  };
  const std::vector<Case> cases{
      {{"2001:db8::1", "fe80::1"}, "ff05::1", "2001:db8::1"},
      {{"fe80::1", "2001:db8::1"}, "ff15::1", "2001:db8::1"},
      {{"fe80::1", "fd00::1"}, "2001:db8::9", "fd00::1"},
      {{"2001:db8::1", "fe80::1"}, "ff02::1:2", "fe80::1"},
      {{"2001:db8::1", "fe80::1"}, "fe80::9", "fe80::1"},
      {{"2001:db8::1"}, "ff02::1:2", "2001:db8::1"},
      {{"fe80::1"}, "ff12::1", "fe80::1"},
      {{"fe80::1", "10.0.0.1"}, "ff05::1", nullptr},
      {{"fe80::1"}, "2001:db8::9", nullptr},
      {{"10.0.0.1"}, "ff02::1", nullptr},
      {{"fe80::1"}, "239.1.1.1", nullptr},
  };
  for (const auto& [addresses, destination, expected] : cases) {
    auto eth0 = link("eth0", 1);
    for (const auto* address : addresses)
      eth0.addresses.push_back(IpAddress::parse(address).value());
    const auto* source = eth0.source(IpAddress::parse(destination).value());
    INFO(destination);
    CHECK((source == nullptr ? "none" : source->str()) == (expected ? expected : "none"));
  }
}

TEST_CASE("an address is the host's whichever interface has it") {
  auto eth0 = link("eth0", 1);
  eth0.addresses = {IpAddress::parse("10.0.0.1").value()};
  const Interfaces interfaces({link("eth1", 2), eth0});
  CHECK(interfaces.has(IpAddress::parse("10.0.0.1").value()));
  CHECK_FALSE(interfaces.has(IpAddress::parse("10.0.0.2").value()));
  CHECK_FALSE(Interfaces().has(IpAddress::parse("10.0.0.1").value()));
}

TEST_CASE("the header before the IP header is known by the type of link") {
  auto some = link("some", 1);
  for (const int type : {ARPHRD_ETHER, ARPHRD_LOOPBACK}) {
    some.type = static_cast<std::uint16_t>(type);
    CHECK(some.link_header() == 14);
  }
  for (const int type : {ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT}) {
    some.type = static_cast<std::uint16_t>(type);
    CHECK(some.link_header() == 0);
  }
  for (const int type : {ARPHRD_IPGRE, 823}) {  // 823: ARPHRD_IP6GRE
    some.type = static_cast<std::uint16_t>(type);
    some.point_to_point = true;
    CHECK(some.link_header() == 0);
    some.point_to_point = false;  // with an outer IP header
    CHECK_FALSE(some.link_header());
  }
  for (const int type : {ARPHRD_INFINIBAND, ARPHRD_IEEE80211_RADIOTAP}) {
    some.type = static_cast<std::uint16_t>(type);
    CHECK_FALSE(some.link_header());
  }
}
