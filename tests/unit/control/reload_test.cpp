#include "mcr/control/reload.hpp"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>

#include "catch.hpp"
#include "emulated.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

const Reload::Clock::time_point now{std::chrono::hours(1)};

/// All that a reload works on, without workers and on a kernel whose joins are made up.
struct Stage {
  int join_error = 0;
  bool leave_throws = false;
  std::set<IpAddress> joined;

  Running running;
  SlotAllocators slots;
  Memberships memberships{calls()};
  RcuPointer<RuleTable> rules{std::make_unique<const RuleTable>(), 0};
  SocketPool::Workers workers;
  SocketPool sockets{workers};
  PortGuards port_guards;
  GroSwitch gro{std::filesystem::temp_directory_path() / "mcr-no-gro"};
  fastpath::FastPath fast_path{FastPathMode::off};
  LegWatch leg_watch;

  MembershipCalls calls() {
    return {[](Family) { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); },
            [this](Fd, unsigned, const IpAddress& group, const IpAddress&) {
              if (join_error == 0) joined.insert(group);
              return join_error;
            },
            [this](Fd, unsigned, const IpAddress& group, const IpAddress&) {
              if (leave_throws) throw std::runtime_error("made up");
              joined.erase(group);
              return 0;
            }};
  }

  Reload reload(const Config& config, const Interfaces& interfaces) {
    return {{running, slots, memberships, rules, workers, sockets, port_guards, gro, fast_path,
             leg_watch},
            config,
            interfaces,
            {},
            now};
  }

  void run(const Config& config, const Interfaces& interfaces) {
    auto one = reload(config, interfaces);
    one.join_groups();
    one.compile();
    one.open_sockets();
    one.widen_filters();
    one.prepare_fast_path();
    one.publish();
    one.tell_rule_changes();
    one.adjust_host();
    one.narrow_filters();
    one.leave_groups();
  }
};

/// `in` is up and `out` is missing: the rules join, and need no socket of a worker.
Interfaces no_output() {
  return Interfaces({up("in", 2)});
}

Config config_of(std::vector<Rule> rules) {
  Config config;
  config.rules = std::move(rules);
  return config;
}

TxKey sender(std::uint16_t port) {
  return {.interface_index = 3, .source_port = port, .any_source = true};
}

}  // namespace

TEST_CASE("a reload replaces what runs at its commit point and not before") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  const auto config = config_of({rule("a", ip("239.1.1.1"), 5000)});
  {
    auto reload = stage.reload(config, no_output());
    reload.join_groups();
    reload.compile();
    reload.open_sockets();
    reload.widen_filters();
    CHECK(stage.running.config.rules.empty());
    CHECK(stage.rules.latest().generation() == 0);
    CHECK(stage.joined.size() == 1);
    reload.publish();
    CHECK(stage.running.config == config);
    CHECK(stage.running.interfaces == no_output());
    CHECK(stage.running.view == view_of(config.rules, no_output()));
    CHECK(stage.running.statuses.size() == 1);
    CHECK(stage.rules.latest().generation() == 1);
  }
  CHECK(stage.joined.size() == 1);
}

TEST_CASE("groups of old and new rules are joined together, and the old ones left at the end") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  stage.run(config_of({rule("a", ip("239.1.1.1"), 5000)}), no_output());
  const auto next = config_of({rule("b", ip("239.1.1.2"), 5000)});
  auto reload = stage.reload(next, no_output());
  reload.join_groups();
  CHECK(stage.joined == std::set{ip("239.1.1.1"), ip("239.1.1.2")});
  reload.compile();
  reload.publish();
  CHECK(stage.joined == std::set{ip("239.1.1.1"), ip("239.1.1.2")});
  reload.leave_groups();
  CHECK(stage.joined == std::set{ip("239.1.1.2")});
}

TEST_CASE("a failure before the commit point leaves everything as it was") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  auto first = config_of({rule("a", ip("239.1.1.1"), 5000), rule("late", ip("239.1.1.7"), 5000)});
  first.rules[1].inputs[0].interface = "absent";
  stage.run(first, no_output());
  stage.running.senders.add(sender(7000), now);
  const auto memberships = stage.memberships.all().size();
  stage.slots.rules = SlotAllocator<std::string>(1);  // the second rule finds no slot
  {
    auto reload = stage.reload(
        config_of({rule("b", ip("239.1.1.2"), 5000), rule("taker", ip("10.7.0.1"), 7000)}),
        no_output());
    reload.join_groups();
    CHECK(stage.joined == std::set{ip("239.1.1.1"), ip("239.1.1.2")});
    CHECK_THROWS_AS(reload.compile(), Failure);
  }
  CHECK(stage.running.config == first);
  CHECK(stage.running.statuses.size() == 2);
  CHECK(stage.running.senders.keys() == std::vector{sender(7000)});
  CHECK(stage.rules.latest().generation() == 1);
  CHECK(stage.joined == std::set{ip("239.1.1.1")});
  CHECK(stage.memberships.all().size() == memberships);
}

TEST_CASE("a reload takes the ports that inputs need from senders") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  stage.running.senders.add(sender(7000), now);
  stage.running.senders.add(sender(7001), now);
  stage.run(config_of({rule("taker", ip("10.7.0.1"), 7000)}), no_output());
  CHECK(stage.running.senders.keys() == std::vector{sender(7001)});
}

TEST_CASE("a failure after the commit point is no refusal") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  stage.run(config_of({rule("a", ip("239.1.1.1"), 5000)}), no_output());
  stage.leave_throws = true;
  const auto next = config_of({rule("b", ip("239.1.1.2"), 5000)});
  CHECK_NOTHROW(stage.run(next, no_output()));
  CHECK(stage.running.config == next);
  CHECK(stage.joined.contains(ip("239.1.1.1")));  // a surplus, for the next reload to remove
  stage.leave_throws = false;
}

TEST_CASE("a refused join refuses no reload") {
  MCR_NOT_EMULATED("IP_MULTICAST_ALL");
  Stage stage;
  stage.join_error = ENOBUFS;
  stage.run(config_of({rule("a", ip("239.1.1.1"), 5000)}), two_interfaces());
  REQUIRE(stage.running.statuses.size() == 1);
  CHECK(stage.running.statuses[0].state == RuleState::failed);
}
