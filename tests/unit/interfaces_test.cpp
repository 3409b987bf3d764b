#include "mcr/interfaces.hpp"

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
  CHECK(eth0.source(Family::ipv4) == nullptr);
  eth0.addresses = {IpAddress::parse("2001:db8::1").value(), IpAddress::parse("10.0.0.1").value(),
                    IpAddress::parse("10.0.0.2").value()};
  CHECK(eth0.source(Family::ipv4)->str() == "10.0.0.1");
  CHECK(eth0.source(Family::ipv6)->str() == "2001:db8::1");
}
