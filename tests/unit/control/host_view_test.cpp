#include "mcr/control/host_view.hpp"

#include <functional>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

using Links = std::vector<Interface>;

/// True if a change of the host means something to rules from `in` to `out`, with a unicast input
/// and an output that names its source.
bool seen(const std::function<void(Links&)>& change) {
  std::vector<Rule> rules = {rule("multicast", ip("239.1.1.1"), 5000),
                             rule("unicast", ip("10.7.0.1"), 5000),
                             rule("fixed", ip("239.1.1.2"), 5000)};
  rules[2].outputs[0].source = {Source::Mode::address, ip("10.8.0.1")};
  Links links{up("lo", 1), up("in", 2), up("out", 3, {source}), up("other", 4, {ip("10.9.0.1")})};
  const auto before = view_of(rules, Interfaces(links));
  CHECK(before == before.in(Interfaces(links)));
  change(links);
  return before != before.in(Interfaces(links));
}

}  // namespace

TEST_CASE("a rule sees what changes of its own interfaces") {
  CHECK(seen([](Links& links) { links[1].up = false; }));
  CHECK(seen([](Links& links) { links[2].mtu = 9000; }));
  CHECK(seen([](Links& links) { links[2].index = 30; }));
  CHECK(seen([](Links& links) { links[1].incarnation = 1; }));
  CHECK(seen([](Links& links) { links[2].addresses.clear(); }));
  CHECK(seen([](Links& links) { links[2].shaped = true; }));
  CHECK(seen([](Links& links) { links[1].name = "renamed"; }));
  CHECK(seen([](Links& links) { links.erase(links.begin() + 1); }));
}

TEST_CASE("a rule sees the addresses that it names on whatever interface") {
  CHECK(seen([](Links& links) { links[3].addresses.push_back(ip("10.7.0.1")); }));
  CHECK(seen([](Links& links) { links.push_back(up("new", 5, {ip("10.8.0.1")})); }));
}

TEST_CASE("a rule sees that an address of its host becomes one of this host") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  rules[0].outputs[0].destination = ip("10.1.0.9");
  rules[0].outputs[0].host.name = "pods";
  const auto before = view_of(rules, two_interfaces());
  CHECK(before !=
        before.in(Interfaces({up("in", 2), up("out", 3, {source}), up("x", 4, {ip("10.1.0.9")})})));
}

TEST_CASE("a rule sees nothing of other interfaces") {
  CHECK_FALSE(seen([](Links& links) { links[3].up = false; }));
  CHECK_FALSE(seen([](Links& links) { links[3].addresses.clear(); }));
  CHECK_FALSE(seen([](Links& links) { links.erase(links.begin() + 3); }));
  CHECK_FALSE(seen([](Links& links) { links.push_back(up("veth0", 5, {ip("172.17.0.1")})); }));
  CHECK_FALSE(seen([](Links& links) { links[0].incarnation = 1; }));
}

TEST_CASE("an interface that a rule waits for is seen when it comes") {
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  const auto before = view_of(rules, Interfaces({up("out", 3, {source})}));
  CHECK(before != before.in(two_interfaces()));
  CHECK(before.in(two_interfaces()) == view_of(rules, two_interfaces()));
}
