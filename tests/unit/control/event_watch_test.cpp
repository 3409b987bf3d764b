#include "mcr/control/event_watch.hpp"

#include <cerrno>

#include "catch.hpp"
#include "mcr/base/address.hpp"

namespace {

using namespace mcr;
using namespace std::chrono_literals;

/// Events as text: "rule a: waiting -> active (reason)".
struct Told {
  EventRing ring{1, 64};
  std::uint64_t seen = 0;

  std::vector<std::string> lines() {
    std::vector<std::string> all;
    while (const auto event = ring.after(seen)) {
      seen = event->id;
      all.push_back(std::string(to_string(event->kind)) + ' ' + event->rule + event->subject +
                    (event->interface.empty() ? "" : " on " + event->interface) + ": " +
                    event->before + " -> " + event->state +
                    (event->reason.empty() ? "" : " (" + event->reason + ')') +
                    (event->count == 0 ? "" : " " + std::to_string(event->count)));
    }
    return all;
  }
};

using Lines = std::vector<std::string>;

TEST_CASE("the first look tells of rules that do not do their work") {
  Told told;
  EventWatch watch;
  watch.compare_rules({{"a"},
                       {"b", RuleState::waiting, {"no eth1"}},
                       {"c", RuleState::disabled},
                       {"d", RuleState::active, {"in part"}}},
                      told.ring);
  CHECK(told.lines() == Lines{"rule b:  -> waiting (no eth1)", "rule d:  -> active (in part)"});
}

TEST_CASE("later looks tell of what has changed, has come and has gone") {
  Told told;
  EventWatch watch;
  watch.compare_rules({{"a"}, {"b"}, {"c"}}, told.ring);
  CHECK(told.lines().empty());
  watch.compare_rules({{"a"}, {"b"}, {"c"}}, told.ring);
  CHECK(told.lines().empty());
  watch.compare_rules({{"b", RuleState::silent, {"silent for 2 s"}}, {"c"}, {"d"}}, told.ring);
  CHECK(told.lines() == Lines{"rule b: active -> silent (silent for 2 s)", "rule d:  -> active",
                              "rule a: active -> removed"});
}

TEST_CASE("a host's addresses are told when they change") {
  Told told;
  EventWatch watch;
  const auto at = [](const char* address) { return *IpAddress::parse(address); };
  watch.compare_hosts({{"a", {}}, {"b", {{}, "Name or service not known"}}}, told.ring);
  CHECK(told.lines() == Lines{"host b:  -> unresolved (Name or service not known)"});
  watch.compare_hosts({{"a", {{at("10.0.0.1")}, ""}}, {"b", {{}, "Name or service not known"}}},
                      told.ring);
  CHECK(told.lines() == Lines{"host a:  -> resolved (10.0.0.1)"});
  watch.compare_hosts({{"a", {{at("10.0.0.1"), at("10.0.0.2")}, ""}}}, told.ring);
  CHECK(told.lines() == Lines{"host a:  -> resolved (10.0.0.1, 10.0.0.2)"});
  watch.compare_hosts({}, told.ring);
  CHECK(told.lines().empty());
}

TEST_CASE("another input on air, and what becomes of merged legs") {
  Told told;
  EventWatch watch;
  watch.compare_legs({{"a", {0, "one", ""}}, {"m", {.legs = {{"x", "merged"}, {"y", "lost"}}}}},
                     told.ring);
  CHECK(told.lines() == Lines{"merge my: merged -> lost"});
  watch.compare_legs(
      {{"a", {1, "two", "silent for 0.4 s"}}, {"m", {.legs = {{"x", "behind"}, {"y", "merged"}}}}},
      told.ring);
  CHECK(told.lines() == Lines{"failover atwo:  -> on_air (instead of one: silent for 0.4 s)",
                              "merge mx: merged -> behind", "merge my: lost -> merged"});
  watch.compare_legs({{"n", {.legs = {{"x", "merged"}}}}}, told.ring);
  watch.compare_legs({{"a", {5, "two", "reverted"}}}, told.ring);
  CHECK(told.lines().empty());
}

TEST_CASE("a figure that grows in the reason of a silent rule is no event") {
  Told told;
  EventWatch watch;
  watch.compare_rules({{"b", RuleState::silent, {"silent for 2 s"}}}, told.ring);
  CHECK(told.lines().size() == 1);
  watch.compare_rules({{"b", RuleState::silent, {"silent for 3 s"}}}, told.ring);
  CHECK(told.lines().empty());
  watch.compare_rules({{"b", RuleState::active, {"eth1 is down"}}}, told.ring);
  watch.compare_rules({{"b", RuleState::active, {"eth2 is down"}}}, told.ring);
  CHECK(told.lines() == Lines{"rule b: silent -> active (eth1 is down)",
                              "rule b: active -> active (eth2 is down)"});
}

TEST_CASE("a join that fails is told of once, and when it works after all") {
  Told told;
  EventWatch watch;
  const Group group{"eth0", *IpAddress::parse("239.1.1.1"), {}, {}};
  const auto look = [&](MembershipState state, int error = 0) {
    watch.compare_joins({{group, {state, error}}}, told.ring);
  };
  look(MembershipState::joined);
  CHECK(told.lines().empty());
  look(MembershipState::failed, ENOBUFS);
  look(MembershipState::failed, ENOBUFS);
  look(MembershipState::joining, ENOBUFS);
  look(MembershipState::failed, ENOBUFS);
  CHECK(told.lines() == Lines{"join 239.1.1.1 on eth0:  -> failed (No buffer space available)"});
  look(MembershipState::joined);
  look(MembershipState::joined);
  CHECK(told.lines() == Lines{"join 239.1.1.1 on eth0:  -> joined"});
}

TEST_CASE("a loss has one event when it begins, and one when it is over") {
  Told told;
  EventWatch watch;
  EventWatch::Clock::time_point now{};
  const auto look = [&](std::uint64_t frames) {
    const ExternalDropCount count{"eth0", DropPlace::socket, frames};
    watch.look_at_losses({&count, 1}, now, told.ring);
  };
  look(5);  // nobody knows since when
  look(7);
  now += 5s;
  look(12);
  CHECK(told.lines() == Lines{"loss socket on eth0:  -> begun 2"});
  now += 9s;
  look(12);
  CHECK(told.lines().empty());
  now += 1s;
  look(12);
  look(12);
  CHECK(told.lines() == Lines{"loss socket on eth0:  -> ended 7"});
  look(3);  // recreated
  look(4);
  CHECK(told.lines() == Lines{"loss socket on eth0:  -> begun 1"});
}

TEST_CASE("drops that no rule asks for are losses") {
  Told told;
  EventWatch watch;
  Totals totals;
  watch.compare_drops(totals, {}, told.ring);
  totals.tx_drops[static_cast<std::size_t>(OutputDrop::rate_limited)] = 4;
  totals.tx_drops[static_cast<std::size_t>(OutputDrop::egress_full)] = 3;
  watch.compare_drops(totals, {}, told.ring);
  CHECK(told.lines() == Lines{"loss egress_full:  -> begun 3"});
}

}  // namespace
