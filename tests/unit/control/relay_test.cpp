#include "mcr/control/relay.hpp"

#include <cerrno>
#include <filesystem>

#include "catch.hpp"
#include "mcr/config/config.hpp"
#include "mcr/host/socket.hpp"
#include "private_network.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

using private_network::read_file;
using private_network::run;

Config config_of(const std::vector<const char*>& groups) {
  Config config;
  config.daemon.workers = 1;
  for (const auto* group : groups) {
    auto one = rule(group, ip(group), 5000);
    one.inputs[0].interface = "near";
    one.outputs[0].interface = "far";
    config.rules.push_back(std::move(one));
  }
  return config;
}

/// A relay that runs, and what the kernel has of it.
struct Stage {
  std::string folder = std::filesystem::temp_directory_path() / "mcr-relay-test";
  Relay relay{config_of({}).daemon, {.run_folder = folder}};

  Stage() { relay.start(); }
  ~Stage() {
    relay.stop();
    std::filesystem::remove_all(folder);
  }
  void apply(const Config& config) {
    relay.apply(config, Netlink().snapshot(), Relay::Clock::now());
  }
  void follow() { relay.follow(Netlink().snapshot(), Relay::Clock::now()); }
};

/// All that the kernel has of this program's sockets and joins, as text.
std::string kernel_state() {
  std::string state;
  for (const auto* file : {"/proc/net/packet", "/proc/net/udp", "/proc/net/igmp"})
    state += read_file(file) + "\n";
  return state;
}

std::size_t packet_sockets() {
  const auto text = read_file("/proc/net/packet");
  return static_cast<std::size_t>(std::ranges::count(text, '\n')) - 1;
}

}  // namespace

TEST_CASE("a relay opens, joins, and gives everything back") {
  MCR_NEEDS_PRIVATE_NETWORK();
  const auto joined_before = read_file("/proc/net/igmp");
  Stage stage;
  stage.apply(config_of({"239.1.1.1", "239.1.1.2"}));
  CHECK(stage.relay.summary() == "2 rules active");
  CHECK(packet_sockets() == 1);
  CHECK(read_file("/proc/net/igmp") != joined_before);
  stage.apply(config_of({}));
  for (int i = 0; i < 100 && packet_sockets() != 0; ++i) {
    ::usleep(20'000);
    stage.relay.tick(Relay::Clock::now());
  }
  CHECK(packet_sockets() == 0);
  CHECK(read_file("/proc/net/igmp") == joined_before);
}

TEST_CASE("a reload that is refused changes nothing, in the relay nor in the kernel") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  const auto config = config_of({"239.1.1.1"});
  stage.apply(config);
  const auto before = kernel_state();
  auto other_ring = config_of({"239.1.1.2"});
  other_ring.interfaces["near"].ingress = IngressMode::mmap;  // needs a restart
  auto other_workers = config_of({"239.1.1.2"});
  other_workers.daemon.workers = 2;
  for (const auto& refused : {other_ring, other_workers}) {
    CHECK_THROWS_AS(stage.apply(refused), Failure);
    CHECK(stage.relay.config() == config);
    CHECK(stage.relay.summary() == "1 rule active");
    CHECK(kernel_state() == before);
  }
}

TEST_CASE("a reload whose last step before the commit point fails changes nothing") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  const auto config = config_of({"239.1.1.1"});
  stage.apply(config);
  const auto before = kernel_state();
  auto other = config_of({"239.1.1.1", "239.1.1.2"});
  other.rules[1].inputs[0].vlan = 7;           // another receiving socket
  other.rules[1].outputs[0].source_port = 78;  // another sending one
  std::string meanwhile;
  const auto fail = [&] {
    meanwhile = kernel_state();
    throw Failure(ExitCode::os, "the disk is full");
  };
  CHECK_THROWS_AS(stage.relay.begin(other, Netlink().snapshot(), Relay::Clock::now(), fail),
                  Failure);
  CHECK(meanwhile != before);
  CHECK(stage.relay.config() == config);
  CHECK(stage.relay.summary() == "1 rule active");
  CHECK(kernel_state() == before);
}

TEST_CASE("a link that no rule names is followed without a new table") {
  MCR_NEEDS_PRIVATE_NETWORK();
  Stage stage;
  stage.apply(config_of({"239.1.1.1"}));
  const auto generation = stage.relay.generation();
  REQUIRE(run("ip link add other type veth peer name beyond && ip link set other up"));
  stage.follow();
  CHECK(stage.relay.generation() == generation);
  CHECK(stage.relay.interfaces().find("other") != nullptr);
  run("ip link del other");
  stage.follow();
  CHECK(stage.relay.generation() == generation);

  REQUIRE(run("ip link set near mtu 1400"));
  stage.follow();
  CHECK(stage.relay.generation() == generation + 1);
  run("ip link set near mtu 1500");
}

TEST_CASE("an output whose source port is occupied waits, and starts when it is free") {
  MCR_NEEDS_PRIVATE_NETWORK();
  std::optional<Socket> other(std::in_place, AF_INET, SOCK_DGRAM);
  REQUIRE(other->bind(SocketAddress({ip("0.0.0.0"), 7777})));
  auto config = config_of({"239.1.1.1", "239.1.1.2"});
  config.rules[1].outputs[0].source_port = 7777;
  auto now = Relay::Clock::now();
  Stage stage;
  stage.relay.begin(config, Netlink().snapshot(), now);
  CHECK(stage.relay.status_of(0, now).state == RuleState::active);
  const auto waits = stage.relay.status_of(1, now);
  CHECK(waits.state == RuleState::waiting);
  REQUIRE(waits.output_reasons.size() == 1);
  CHECK(waits.output_reasons[0] ==
        Reason("bind source port 7777 for far: Address already in use", EADDRINUSE));
  const auto generation = stage.relay.generation();

  // A reload keeps it waiting, and refuses what is newly occupied.
  auto more = config;
  more.rules[0].outputs[0].ttl = Ttl::of(9);
  stage.apply(more);
  CHECK(stage.relay.config() == more);
  CHECK(stage.relay.status_of(1, now).state == RuleState::waiting);
  const Socket another(AF_INET, SOCK_DGRAM);
  REQUIRE(another.bind(SocketAddress({ip("0.0.0.0"), 7778})));
  auto refused = more;
  refused.rules[0].outputs[0].source_port = 7778;
  CHECK_THROWS_AS(stage.apply(refused), OsError);
  CHECK(stage.relay.config() == more);

  // Tried again after 1 s, 2 s and so on, without a new table while nothing has changed.
  CHECK(stage.relay.generation() == generation + 1);
  for (int i = 0; i < 10; ++i)
    stage.relay.tick(now += std::chrono::seconds(1));
  CHECK(stage.relay.generation() == generation + 1);
  other.reset();
  for (int i = 0; i < 30; ++i)
    stage.relay.tick(now += std::chrono::seconds(1));
  CHECK(stage.relay.status_of(1, now).state == RuleState::active);
}
