#include "mcr/control/igmp_refresh.hpp"

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

constexpr Membership joined{MembershipState::joined, 0};

}  // namespace

TEST_CASE("a report leaves out what no membership of the group wants") {
  const auto a = ip("10.0.0.1");
  const auto b = ip("10.0.0.2");
  const auto c = ip("10.0.0.3");
  const auto excluded_by = [](const GroupReports::mapped_type& list) {
    return list.at(0).excluded;
  };
  const auto report = [&](std::vector<std::pair<Group, Membership>> held) {
    return excluded_by(group_reports(held).at({"eth0", Family::ipv4}));
  };
  const Group one{"eth0", ip("239.1.1.1"), {}, {a, b, c}};
  const Group other{"eth0", ip("239.1.1.1"), {}, {b, c}};
  const Group single{"eth0", ip("239.1.1.1"), b};
  const Group all{"eth0", ip("239.1.1.1"), {}};
  CHECK(report({{one, joined}}) == std::vector{a, b, c});
  CHECK(report({{one, joined}, {other, joined}}) == std::vector{b, c});
  CHECK(report({{one, joined}, {other, joined}, {single, joined}}) == std::vector{c});
  CHECK(report({{all, joined}, {one, joined}}).empty());
}

TEST_CASE("a report has one record a group, of what is joined") {
  const auto reports = group_reports({
      {{"eth0", ip("239.1.1.1"), {}}, joined},
      {{"eth0", ip("239.1.1.1"), ip("10.0.0.5")}, joined},  // any source includes it
      {{"eth0", ip("239.1.1.2"), ip("10.0.0.5")}, joined},
      {{"eth0", ip("239.1.1.2"), ip("10.0.0.6")}, joined},
      {{"eth0", ip("239.1.1.3"), {}}, {MembershipState::failed, 105}},
      {{"eth0", ip("ff15::1"), {}}, joined},
      {{"eth1", ip("239.1.1.1"), {}}, joined},
      {{"eth2", ip("239.1.1.1"), {}}, {MembershipState::waiting_interface, 0}},
  });
  REQUIRE(reports.size() == 3);
  const auto& first = reports.at({"eth0", Family::ipv4});
  REQUIRE(first.size() == 2);
  CHECK(first[0].group == ip("239.1.1.1"));
  CHECK(first[0].sources.empty());
  CHECK(first[1].group == ip("239.1.1.2"));
  CHECK(first[1].sources == std::vector{ip("10.0.0.5"), ip("10.0.0.6")});
  CHECK(reports.at({"eth0", Family::ipv6}).size() == 1);
  CHECK(reports.at({"eth1", Family::ipv4}).size() == 1);
}
