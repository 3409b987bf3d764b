#include "mcr/program/fleet.hpp"

#include <tuple>

#include "catch.hpp"

using mcr::HostPort;

TEST_CASE("fleet: a host, and perhaps a port") {
  for (const auto& [text, host, port] :
       {std::tuple("relay1", "relay1", 9464), std::tuple("relay1:80", "relay1", 80),
        std::tuple("10.0.0.1:9465", "10.0.0.1", 9465), std::tuple("[::1]", "::1", 9464),
        std::tuple("[fe80::1%eth0]:80", "fe80::1%eth0", 80), std::tuple("::1", "::1", 9464)}) {
    INFO(text);
    CHECK(HostPort::parse(text) == HostPort{host, static_cast<std::uint16_t>(port)});
  }
  for (const auto* text : {"", "--timeout", "-x", ":80", "a:", "a:0", "a:x", "a:70000", "[::1",
                           "[]:80", "[::1]80", "a:80x"}) {
    INFO(text);
    CHECK_THROWS_AS(HostPort::parse(text), mcr::Failure);
  }
}
