#include "mcr/rules/counters.hpp"

#include "catch.hpp"

using namespace mcr;

TEST_CASE("where a rule's last datagram came from is kept for both families") {
  LastSource last;
  for (const auto* text : {"10.0.0.5", "2001:db8::ffff:1", "255.255.255.255", "fe80::1"}) {
    const Endpoint endpoint{*IpAddress::parse(text), 65535};
    last.set(endpoint);
    CHECK(last.get() == endpoint);
  }
}
