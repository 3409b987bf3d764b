#include "mcr/control/port_guards.hpp"

#include <sys/socket.h>

#include "catch.hpp"
#include "mcr/host/port_guard.hpp"
#include "private_network.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

const Endpoint guarded{ip("10.9.0.1"), 5000};

RuleTable table_of(const std::vector<Rule>& rules, unsigned near_index) {
  const Interfaces host({up("in", near_index, {guarded.address}), up("out", 90, {source})});
  return compiled(rules, host).table;
}

/// Another program has it, for the test.
bool is_taken(const Endpoint& endpoint) {
  return !hold_port(SocketAddress(endpoint, 0)).valid();
}

}  // namespace

TEST_CASE("the port of a unicast input is held while a table takes it") {
  MCR_NEEDS_PRIVATE_NETWORK();
  PortGuards guards;
  CHECK_FALSE(is_taken(guarded));
  const auto unicast = table_of({rule("a", guarded.address, guarded.port)}, 2);
  guards.hold(unicast);
  CHECK(is_taken(guarded));
  guards.release(unicast);
  CHECK(is_taken(guarded));
  guards.release(RuleTable());
  CHECK_FALSE(is_taken(guarded));
}

TEST_CASE("no port is held for a group, nor for what this host sends") {
  MCR_NEEDS_PRIVATE_NETWORK();
  auto local = rule("b", guarded.address, guarded.port);
  local.inputs[0].local = true;
  PortGuards guards;
  guards.hold(table_of({rule("a", ip("239.1.1.1"), guarded.port), local}, 2));
  CHECK_FALSE(is_taken(guarded));
}

TEST_CASE("a port that another program has is tried again") {
  MCR_NEEDS_PRIVATE_NETWORK();
  auto other = hold_port(SocketAddress(guarded, 0));
  REQUIRE(other.valid());
  PortGuards guards;
  guards.hold(table_of({rule("a", guarded.address, guarded.port)}, 2));
  other.reset();
  CHECK_FALSE(is_taken(guarded));
  guards.retry();
  CHECK(is_taken(guarded));
}
