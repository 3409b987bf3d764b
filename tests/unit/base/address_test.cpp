#include "mcr/base/address.hpp"
#include "catch.hpp"

using mcr::Endpoint;
using mcr::IpAddress;
using mcr::SocketAddress;

TEST_CASE("addresses are read and written") {
  for (const auto* text : {"239.1.1.1", "10.0.0.5", "ff05::1", "::1", "0.0.0.0"})
    CHECK(IpAddress::parse(text)->str() == text);
  for (const auto* text : {"", "239.1.1", "239.1.1.256", "eth0", "239.1.1.1 ", "ff05::g"})
    CHECK_FALSE(IpAddress::parse(text));
  CHECK_FALSE(IpAddress::parse(std::string_view("239.1.1.1\0", 10)));
}

TEST_CASE("endpoints are read") {
  for (const auto* text : {"127.0.0.1:9464", "0.0.0.0:1", "[::1]:65535"})
    CHECK(fmt::format("{}", *Endpoint::parse(text)) == text);
  for (const auto* text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1",
        "127.0.0.1:80 ", "localhost:80", "::1:80", "[::1]", "[127.0.0.1]:80", "[]:80", ":80"})
    CHECK_FALSE(Endpoint::parse(text));
}

TEST_CASE("kinds of address") {
  CHECK(IpAddress::parse("224.0.0.0")->is_multicast());
  CHECK(IpAddress::parse("239.255.255.255")->is_multicast());
  CHECK_FALSE(IpAddress::parse("240.0.0.0")->is_multicast());
  CHECK_FALSE(IpAddress::parse("223.255.255.255")->is_multicast());
  CHECK(IpAddress::parse("ff02::1")->is_multicast());
  CHECK_FALSE(IpAddress::parse("fe80::1")->is_multicast());
  CHECK(IpAddress::parse("::")->is_unspecified());
  CHECK_FALSE(IpAddress().is_unspecified());
  CHECK(IpAddress::parse("127.3.2.1")->is_loopback());
  CHECK(IpAddress::parse("::1")->is_loopback());
  CHECK(IpAddress::parse("255.255.255.255")->is_broadcast());
}

TEST_CASE("IPv6 groups and addresses have a scope") {
  CHECK(IpAddress::parse("ff05::1")->multicast_scope() == 5);
  CHECK(IpAddress::parse("ff1e::1")->multicast_scope() == 14);
  for (const auto* text : {"fe80::1", "febf::1", "ff02::1", "ff12::1", "ff01::1"})
    CHECK(IpAddress::parse(text)->is_link_local_v6());
  for (const auto* text : {"fec0::1", "fe00::1", "2001:db8::1", "::1", "ff05::1", "169.254.1.1"})
    CHECK_FALSE(IpAddress::parse(text)->is_link_local_v6());
  CHECK(IpAddress::parse("::ffff:10.0.0.1")->mapped_v4()->str() == "10.0.0.1");
  CHECK_FALSE(IpAddress::parse("::10.0.0.1")->mapped_v4());
  CHECK_FALSE(IpAddress::parse("10.0.0.1")->mapped_v4());
}

TEST_CASE("consecutive addresses carry over") {
  CHECK(IpAddress::parse("239.1.1.255")->plus(1).str() == "239.1.2.0");
  CHECK(IpAddress::parse("239.1.1.1")->plus(1000).str() == "239.1.4.233");
  CHECK(IpAddress::parse("ff05::ffff")->plus(1).str() == "ff05::1:0");
}

TEST_CASE("socket addresses go both ways") {
  for (const auto& endpoint : {Endpoint{*IpAddress::parse("239.1.1.1"), 5000},
                               Endpoint{*IpAddress::parse("ff05::1"), 65535}})
    CHECK(SocketAddress(endpoint).endpoint() == endpoint);
  CHECK(SocketAddress(Endpoint{IpAddress::v4(0xEF010101U), 1}).v4.sin_addr.s_addr ==
        htonl(0xEF010101U));
}

TEST_CASE("endpoints are written with brackets where they need them") {
  CHECK(fmt::format("{}", Endpoint{*IpAddress::parse("239.1.1.1"), 5000}) == "239.1.1.1:5000");
  CHECK(fmt::format("{}", Endpoint{*IpAddress::parse("ff05::1"), 5000}) == "[ff05::1]:5000");
}
