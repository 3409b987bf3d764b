#include "mcr/control/memberships.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;
using State = MembershipState;

namespace {

/// A kernel in small: sockets with limits, and refusals on demand.
class FakeKernel {
 public:
  std::size_t groups_a_socket = 20;
  std::size_t sources_a_group = 10;
  int full_error = ENOBUFS;
  int open_error = 0;
  std::map<IpAddress, int> join_errors;
  int leave_error = 0;
  std::size_t join_calls = 0;
  std::size_t opened = 0;
  bool mixed = false;        // (*,G) and (S,G) met on one socket
  bool half_joined = false;  // source refused after its group had been joined

  MembershipCalls calls() {
    MembershipCalls calls;
    calls.open = [this](Family) { return open(); };
    calls.join = [this](Fd fd, unsigned index, const IpAddress& group, const IpAddress& source) {
      return join(fd.get(), index, group, source);
    };
    calls.leave = [this](Fd fd, unsigned index, const IpAddress& group, const IpAddress& source) {
      return leave(fd.get(), index, group, source);
    };
    return calls;
  }

  /// The memberships that open sockets hold, as (interface index, group, source).
  std::multiset<std::tuple<unsigned, IpAddress, IpAddress>> held() {
    std::multiset<std::tuple<unsigned, IpAddress, IpAddress>> result;
    forget_closed();
    for (const auto& [fd, groups] : sockets_)
      for (const auto& [key, sources] : groups)
        for (const auto& source : sources)
          result.emplace(key.first, key.second, source);
    return result;
  }

  /// Places of groups taken up, also by groups without a source.
  std::size_t places() {
    forget_closed();
    std::size_t result = 0;
    for (const auto& [fd, groups] : sockets_)
      result += groups.size();
    return result;
  }

  std::size_t open_sockets() {
    forget_closed();
    return sockets_.size();
  }

 private:
  using Groups = std::map<std::pair<unsigned, IpAddress>, std::set<IpAddress>>;

  UniqueFd open() {
    ++opened;
    errno = open_error;
    if (open_error != 0) return {};
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    sockets_[fd.get()].clear();
    return fd;
  }

  int join(int fd, unsigned index, const IpAddress& group, const IpAddress& source) {
    ++join_calls;
    if (auto found = join_errors.find(group); found != join_errors.end()) return found->second;
    auto& groups = sockets_.at(fd);
    auto held = groups.find({index, group});
    if (held == groups.end()) {
      if (groups.size() >= groups_a_socket) return full_error;
      held = groups.emplace(std::pair{index, group}, std::set<IpAddress>{}).first;
      if (half_joined && source) return ENOBUFS;
    } else {
      mixed = mixed || !source || held->second.contains({});
      if (held->second.size() >= sources_a_group) return ENOBUFS;
    }
    return held->second.insert(source).second ? 0 : EADDRINUSE;
  }

  int leave(int fd, unsigned index, const IpAddress& group, const IpAddress& source) {
    if (leave_error != 0) return leave_error;
    auto& groups = sockets_.at(fd);
    auto held = groups.find({index, group});
    if (held == groups.end()) return EADDRNOTAVAIL;
    if (source && held->second.erase(source) == 0) return EADDRNOTAVAIL;
    if (!source || held->second.empty()) groups.erase(held);
    return 0;
  }

  void forget_closed() {
    std::erase_if(sockets_, [](const auto& socket) { return ::fcntl(socket.first, F_GETFD) < 0; });
  }

  std::map<int, Groups> sockets_;
};

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

Interface link(const std::string& name, unsigned index) {
  Interface result;
  result.name = name;
  result.index = index;
  result.up = true;
  return result;
}

std::set<Group> many(const std::string& interface, const char* first, std::uint32_t count) {
  std::set<Group> result;
  for (std::uint32_t i = 0; i < count; ++i)
    result.insert({interface, ip(first).plus(i), {}});
  return result;
}

struct World {
  FakeKernel kernel;
  Memberships memberships{kernel.calls()};
  Interfaces interfaces{{link("eth0", 2), link("eth1", 3)}};
  Memberships::Clock::time_point now{};

  auto join(const std::set<Group>& wanted) { return memberships.join(wanted, interfaces, now); }
  State state(const Group& group) {
    const auto* membership = memberships.find(group);
    REQUIRE(membership != nullptr);
    return membership->state;
  }
  void check_sums() {
    const auto sums = memberships.statistics();
    CHECK(sums.joins_attempted == sums.joins_succeeded + sums.joins_failed);
    CHECK(sums.helper_sockets == kernel.open_sockets());
  }
};

const Group g1{"eth0", IpAddress::v4(0xEF010101), {}};
const Group g2{"eth0", IpAddress::v4(0xEF010102), {}};

}  // namespace

TEST_CASE("a thousand groups take as many sockets as the limit asks for") {
  World world;
  const auto wanted = many("eth0", "239.1.0.0", 1000);
  CHECK(world.join(wanted).size() == 1000);
  const auto sums = world.memberships.statistics();
  CHECK(sums.joins_attempted == 1000);
  CHECK(sums.joins_failed == 0);
  CHECK(sums.helper_sockets == 50);
  CHECK(world.kernel.held().size() == 1000);
  CHECK(world.kernel.join_calls <= 1000 + 50);  // a full socket is asked once
  CHECK(world.join(wanted).empty());
  world.check_sums();

  CHECK(world.memberships.leave({}, world.now).size() == 1000);
  CHECK(world.memberships.statistics().leaves == 1000);
  CHECK(world.memberships.all().empty());
  world.check_sums();
  CHECK(world.kernel.open_sockets() == 0);
}

TEST_CASE("the room that a leave makes is used again") {
  World world;
  auto wanted = many("eth0", "239.1.0.0", 40);
  world.join(wanted);
  wanted.erase(wanted.begin());
  world.memberships.leave(wanted, world.now);
  wanted.insert({"eth0", ip("239.9.9.9"), {}});
  world.join(wanted);
  CHECK(world.kernel.open_sockets() == 2);
  CHECK(world.kernel.held().size() == 40);
  world.check_sums();
}

TEST_CASE("IPv6 sockets are full with ENOMEM, and apart from IPv4's") {
  World world;
  world.kernel.full_error = ENOMEM;
  auto wanted = many("eth0", "ff05::1:0", 30);
  wanted.merge(many("eth0", "239.1.0.0", 30));
  world.join(wanted);
  CHECK(world.kernel.held().size() == 60);
  CHECK(world.kernel.open_sockets() == 4);
  world.check_sums();
}

TEST_CASE("any source and single sources of a group stay on different sockets") {
  World world;
  std::set<Group> wanted{g1};
  for (std::uint32_t i = 0; i < 25; ++i)
    wanted.insert({"eth0", g1.group, IpAddress::v4(0x0A000001 + i)});
  world.join(wanted);
  CHECK_FALSE(world.kernel.mixed);
  CHECK(world.kernel.held().size() == 26);
  CHECK(world.kernel.open_sockets() == 4);  // 1 for any source, 3 of at most 10 sources
  world.check_sums();

  // Each source that goes makes room for one.
  auto fewer = wanted;
  fewer.erase({"eth0", g1.group, IpAddress::v4(0x0A000001)});
  world.memberships.leave(fewer, world.now);
  fewer.insert({"eth0", g1.group, IpAddress::v4(0x0A0000F0)});
  world.join(fewer);
  CHECK(world.kernel.open_sockets() == 4);
  CHECK(world.kernel.held().size() == 26);
  world.memberships.leave({}, world.now);
  CHECK(world.kernel.open_sockets() == 0);
}

TEST_CASE("a source joins beside its group's others even on a full socket") {
  World world;
  std::set<Group> wanted = many("eth0", "239.2.0.0", 19);
  wanted.insert({"eth0", g1.group, ip("10.0.0.1")});
  world.join(wanted);
  wanted.insert(g2);
  world.join(wanted);
  REQUIRE(world.kernel.open_sockets() == 2);
  wanted.insert({"eth0", g1.group, ip("10.0.0.2")});
  world.join(wanted);
  CHECK(world.kernel.open_sockets() == 2);
  CHECK(world.kernel.held().size() == 22);
}

TEST_CASE("a group joined for a source that is then refused is not left behind") {
  World world;
  world.join({g2});
  world.kernel.half_joined = true;
  world.join({g2, {"eth0", g1.group, ip("10.0.0.1")}});
  world.kernel.half_joined = false;
  CHECK(world.memberships.statistics().joins_failed == 1);
  CHECK(world.kernel.places() == 1);
  world.join({g1, g2});
  CHECK(world.state(g1) == State::joined);
  CHECK_FALSE(world.kernel.mixed);
  CHECK(world.kernel.held().size() == 2);
}

TEST_CASE("a refused join fails, with its errno, and leaves the others alone") {
  auto [error, calls_at_least] = GENERATE(table<int, std::size_t>(
      {{ENODEV, 1}, {EINVAL, 1}, {ENOBUFS, 2}, {ENOMEM, 2}, {EPERM, 1}, {EADDRNOTAVAIL, 1}}));
  World world;
  world.join({g2});
  world.kernel.join_calls = 0;
  world.kernel.join_errors[g1.group] = error;
  const auto events = world.join({g1, g2});
  REQUIRE(events.size() == 1);
  CHECK(events[0].group == g1);
  CHECK(events[0].state == State::failed);
  CHECK(events[0].error == error);
  CHECK(world.memberships.find(g1)->error == error);
  CHECK(world.state(g2) == State::joined);
  CHECK(world.kernel.join_calls == calls_at_least);
  CHECK(world.memberships.statistics().joins_attempted == 2);
  CHECK(world.memberships.statistics().joins_failed == 1);
  world.check_sums();
}

TEST_CASE("without a descriptor for the helper the join fails") {
  World world;
  world.kernel.open_error = EMFILE;
  const auto events = world.join({g1});
  REQUIRE(events.size() == 1);
  CHECK(events[0].error == EMFILE);
  world.check_sums();
  world.kernel.open_error = 0;
  world.memberships.retry(world.now + 1s);
  CHECK(world.state(g1) == State::joined);
}

TEST_CASE("igmp_max_memberships = 0: every join fails, nothing stays open, retries back off") {
  World world;
  world.kernel.groups_a_socket = 0;
  world.join({g1});
  CHECK(world.state(g1) == State::failed);
  CHECK(world.kernel.open_sockets() == 0);

  for (auto expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    REQUIRE(world.memberships.next_retry() == world.now + expected);
    CHECK(world.memberships.retry(world.now + expected - 1ms).empty());
    world.join({g1});  // a reload does not shorten it
    world.now += expected;
    CHECK(world.memberships.retry(world.now).size() == 1);
  }
  CHECK(world.memberships.statistics().joins_failed == 8);

  world.kernel.groups_a_socket = 20;
  world.memberships.retry(world.now + 30s);
  CHECK(world.state(g1) == State::joined);
  CHECK(world.memberships.find(g1)->error == 0);
  CHECK_FALSE(world.memberships.next_retry());
  world.check_sums();
}

TEST_CASE("a failed join is tried at once when something changes, and pauses anew") {
  World world;
  world.kernel.groups_a_socket = 0;
  world.join({g1});
  for (const int pause : {1, 2, 4})
    world.memberships.retry(world.now += std::chrono::seconds(pause));
  const auto failed = world.memberships.statistics().joins_failed;
  world.memberships.hurry(world.now);
  CHECK(world.memberships.next_retry() == world.now);
  world.memberships.retry(world.now);
  CHECK(world.memberships.statistics().joins_failed == failed + 1);
  CHECK(world.memberships.next_retry() == world.now + std::chrono::seconds(1));
}

TEST_CASE("a failed join that is no longer wanted is forgotten") {
  World world;
  world.kernel.groups_a_socket = 0;
  world.join({g1});
  CHECK(world.memberships.leave({}, world.now).empty());
  CHECK(world.memberships.find(g1) == nullptr);
  CHECK_FALSE(world.memberships.next_retry());
}

TEST_CASE("a reload joins first and leaves afterwards") {
  World world;
  world.join({g1});
  world.join({g2});
  CHECK(world.kernel.held().size() == 2);
  const auto events = world.memberships.leave({g2}, world.now);
  REQUIRE(events.size() == 1);
  CHECK(events[0].group == g1);
  CHECK(events[0].state == State::leaving);
  CHECK(events[0].error == 0);
  CHECK(world.memberships.find(g1) == nullptr);
  CHECK(world.kernel.held().size() == 1);
}

TEST_CASE("a missing interface is waited for") {
  World world;
  const Group later{"eth9", g1.group, {}};
  auto events = world.join({later});
  REQUIRE(events.size() == 1);
  CHECK(events[0].state == State::waiting_interface);
  CHECK(world.memberships.statistics().joins_attempted == 0);
  CHECK(world.join({later}).empty());

  world.interfaces = Interfaces{{link("eth9", 9)}};
  world.join({later});
  CHECK(world.state(later) == State::joined);
  CHECK(world.kernel.held().count({9, g1.group, {}}) == 1);

  world.interfaces = Interfaces{};
  events = world.join({later});
  REQUIRE(events.size() == 1);
  CHECK(events[0].state == State::waiting_interface);
  CHECK(world.kernel.open_sockets() == 0);
  CHECK(world.memberships.statistics().leaves == 0);
  world.check_sums();
}

TEST_CASE("a recreated interface is joined anew, a flap changes nothing") {
  World world;
  world.join({g1});
  auto down = link("eth0", 2);
  down.up = false;
  world.interfaces = Interfaces{{down}};
  CHECK(world.join({g1}).empty());
  CHECK(world.kernel.held().size() == 1);

  SECTION("with a new index") {
    world.interfaces = Interfaces{{link("eth0", 7)}};
  }
  SECTION("with the same index") {
    auto again = link("eth0", 2);
    again.incarnation = 1;
    world.interfaces = Interfaces{{again}};
  }
  world.join({g1});
  CHECK(world.state(g1) == State::joined);
  CHECK(world.memberships.statistics().joins_succeeded == 2);
  CHECK(world.kernel.opened == 2);
  CHECK(world.kernel.held().size() == 1);
  CHECK(world.kernel.held().count({world.interfaces.all()[0].index, g1.group, {}}) == 1);
  world.check_sums();
}

TEST_CASE("what is unwanted when its interface goes is forgotten") {
  World world;
  world.join({g1});
  world.interfaces = Interfaces{};
  world.join({});
  CHECK(world.memberships.all().empty());
  CHECK(world.kernel.open_sockets() == 0);
}

TEST_CASE("a leave that fails is told, kept and tried again") {
  World world;
  world.join({g1});
  world.kernel.leave_error = ENOBUFS;
  const auto events = world.memberships.leave({}, world.now);
  REQUIRE(events.size() == 1);
  CHECK(events[0].state == State::leaving);
  CHECK(events[0].error == ENOBUFS);
  CHECK(world.state(g1) == State::leaving);
  CHECK(world.memberships.next_retry() == world.now + 1s);
  CHECK(world.memberships.leave({}, world.now).empty());

  SECTION("until it works") {
    world.kernel.leave_error = 0;
    world.memberships.retry(world.now + 1s);
    CHECK(world.memberships.find(g1) == nullptr);
    CHECK(world.memberships.statistics().leaves == 1);
    CHECK(world.kernel.open_sockets() == 0);
  }
  SECTION("or it is wanted again, and still held") {
    world.join({g1});
    CHECK(world.state(g1) == State::joined);
    CHECK(world.memberships.statistics().joins_attempted == 1);
    CHECK_FALSE(world.memberships.next_retry());
  }
  SECTION("or the kernel says that it is not there") {
    world.kernel.leave_error = EADDRNOTAVAIL;
    const auto again = world.memberships.retry(world.now + 1s);
    REQUIRE(again.size() == 1);
    CHECK(again[0].error == EADDRNOTAVAIL);
    CHECK(world.memberships.all().empty());
    CHECK(world.memberships.statistics().leaves == 0);
  }
}

TEST_CASE("memberships have words for the log") {
  CHECK(g1.str() == "239.1.1.1 on eth0");
  CHECK(Group{"eth0", g1.group, ip("10.0.0.5")}.str() == "239.1.1.1 from 10.0.0.5 on eth0");
  CHECK(to_string(State::waiting_interface) == "waiting_interface");
}
