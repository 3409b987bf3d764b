// The membership manager on the real kernel: a thousand groups with the limits as they come,
// judged by what /proc says, through failure, recreation of the interface, and leaving.
#include "mcr/control/memberships.hpp"

#include <set>
#include <sstream>
#include <vector>

#include "mcr/host/netlink.hpp"
#include "world.hpp"

namespace {

using namespace mcr;
using Clock = Memberships::Clock;

std::vector<std::vector<std::string>> words_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream stream(line);
    auto& words = lines.emplace_back();
    for (std::string word; stream >> word;)
      words.push_back(word);
  }
  return lines;
}

std::uint32_t hex(const std::string& text) {
  return static_cast<std::uint32_t>(std::stoul(text, nullptr, 16));
}

/// IPv4 groups of an interface in /proc/net/igmp: addresses stand there byte-swapped.
std::set<IpAddress> igmp(const std::string& interface) {
  std::set<IpAddress> groups;
  std::string at;
  for (const auto& words : words_of("/proc/net/igmp")) {
    if (words.size() > 2 && words[0] != "Idx" &&
        words[0].find_first_not_of("0123456789") == std::string::npos)
      at = words[1];
    else if (at == interface && !words.empty())
      groups.insert(IpAddress::v4(ntohl(hex(words[0]))));
  }
  groups.erase(IpAddress::v4(0xE0000001));  // all hosts: the kernel's own
  return groups;
}

/// IPv6 groups below ff05::/16 of an interface.
std::set<std::string> igmp6(const std::string& interface) {
  std::set<std::string> groups;
  for (const auto& words : words_of("/proc/net/igmp6"))
    if (words.size() > 2 && words[1] == interface && words[2].starts_with("ff05"))
      groups.insert(words[2]);
  return groups;
}

/// (S,G) of an interface in /proc/net/mcfilter.
std::set<std::pair<IpAddress, IpAddress>> mcfilter(const std::string& interface) {
  std::set<std::pair<IpAddress, IpAddress>> result;
  for (const auto& words : words_of("/proc/net/mcfilter"))
    if (words.size() > 3 && words[1] == interface)
      result.emplace(IpAddress::v4(hex(words[2])), IpAddress::v4(hex(words[3])));
  return result;
}

/// How many IPv6 sources an interface lets through.
std::size_t mcfilter6(const std::string& interface) {
  std::size_t count = 0;
  for (const auto& words : words_of("/proc/net/mcfilter6"))
    if (words.size() > 4 && words[1] == interface && words[4] != "0") ++count;
  return count;
}

struct Case {
  std::string interface;
  Netlink netlink;
  Memberships memberships;
  std::set<Group> wanted;
  std::set<IpAddress> groups;

  explicit Case(std::string name) : interface(std::move(name)) {}

  void want(std::uint32_t count, const char* first) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto group = IpAddress::parse(first).value().plus(i);
      wanted.insert({interface, group, {}});
      groups.insert(group);
    }
  }

  void join() { memberships.join(wanted, netlink.snapshot(), Clock::now()); }

  void balance() {
    const auto sums = memberships.statistics();
    world::expect(
        sums.joins_attempted == sums.joins_succeeded + sums.joins_failed,
        fmt::format("{} attempted = {} succeeded + {} failed, {} sockets", sums.joins_attempted,
                    sums.joins_succeeded, sums.joins_failed, sums.helper_sockets));
  }
};

void thousand_groups(const std::string& interface) {
  Case test(interface);
  test.want(1000, "239.1.0.0");
  const auto start = world::now_ns();
  test.join();
  fmt::print("1000 joins on {}: {} ms\n", interface, (world::now_ns() - start) / 1'000'000);
  world::expect(igmp(interface) == test.groups, "1000 groups, the same in /proc/net/igmp");
  world::expect(test.memberships.statistics().joins_failed == 0, "no join failed");
  test.balance();
  test.memberships.leave({}, Clock::now());
  world::expect(igmp(interface).empty(), "after leaving none is in /proc/net/igmp");
  world::expect(test.memberships.statistics().leaves == 1000, "1000 leaves");
  world::expect(test.memberships.statistics().helper_sockets == 0, "no socket is open");
}

void sources(const std::string& interface) {
  Case test(interface);
  std::set<std::pair<IpAddress, IpAddress>> expected;
  const auto first = IpAddress::parse("10.9.0.1").value();
  for (std::uint32_t g = 0; g < 30; ++g)
    for (std::uint32_t s = 0; s < 25; ++s) {
      const auto group = IpAddress::parse("232.1.0.0").value().plus(g);
      test.wanted.insert({interface, group, first.plus(s)});
      expected.emplace(group, first.plus(s));
    }
  test.join();
  world::expect(mcfilter(interface) == expected,
                "30 groups with 25 sources each, the same in /proc/net/mcfilter");
  test.want(1, "232.1.0.0");
  test.join();
  test.memberships.leave({{interface, IpAddress::parse("232.1.0.0").value(), {}}}, Clock::now());
  world::expect(igmp(interface) == test.groups, "(*,G) of one of them stays when all (S,G) leave");
  test.balance();
}

void ipv6(const std::string& interface) {
  Case test(interface);
  test.want(1000, "ff05::1:0");
  test.join();
  world::expect(igmp6(interface).size() == 1000, "1000 IPv6 groups are in /proc/net/igmp6");
  test.balance();
  test.memberships.leave({}, Clock::now());
  world::expect(igmp6(interface).empty(), "after leaving none is in /proc/net/igmp6");
}

/// More sources than mld_max_msf allows one socket; and any source beside them.
void ipv6_sources(const std::string& interface) {
  constexpr std::uint32_t sources = 150;
  Case test(interface);
  const auto group = IpAddress::parse("ff35::1").value();
  const auto first = IpAddress::parse("2001:db8::1").value();
  for (std::uint32_t i = 0; i < sources; ++i)
    test.wanted.insert({interface, group, first.plus(i)});
  test.join();
  world::expect(mcfilter6(interface) == sources, "150 IPv6 sources are in /proc/net/mcfilter6");
  world::expect(test.memberships.statistics().helper_sockets == 3, "64 sources a socket");
  const Group any{interface, group, {}};
  test.wanted.insert(any);
  test.join();
  world::expect(test.memberships.statistics().helper_sockets == 4, "any source has its own socket");
  test.balance();
  test.memberships.leave({any}, Clock::now());
  world::expect(mcfilter6(interface) == 0 && test.memberships.statistics().helper_sockets == 1,
                "any source stays when all (S,G) leave");
}

void refused(const std::string& interface) {
  const std::string limit = "/proc/sys/net/ipv4/igmp_max_memberships";
  if (!world::write_file(limit, "0")) world::skip("cannot write " + limit);
  Case test(interface);
  test.want(10, "239.1.0.0");
  test.join();
  world::expect(test.memberships.statistics().joins_failed == 10 &&
                    test.memberships.find(*test.wanted.begin())->error == ENOBUFS,
                "igmp_max_memberships = 0: all 10 joins fail with ENOBUFS");
  world::write_file(limit, "20");
  test.memberships.retry(Clock::now() + std::chrono::seconds(2));
  world::expect(igmp(interface) == test.groups, "back at 20 the retry joins them");
  test.balance();
}

void recreated() {
  Case test("late");
  test.want(30, "239.1.0.0");
  test.join();
  world::expect(test.memberships.statistics().joins_attempted == 0, "no interface: no join");
  for (int turn = 0; turn < 2; ++turn) {
    world::run("ip link add late index 77 type veth peer name etal && ip link set late up");
    world::expect(test.netlink.drain(), "netlink tells of the new interface");
    test.join();
    world::expect(igmp("late") == test.groups, "it appears, with index 77: 30 groups joined");
    world::run("ip link set late down && ip link set late up");
    test.netlink.drain();
    const auto attempted = test.memberships.statistics().joins_attempted;
    test.join();
    world::expect(
        igmp("late") == test.groups && test.memberships.statistics().joins_attempted == attempted,
        "down and up: nothing to do");
    world::run("ip link del late");
    world::expect(test.netlink.drain(), "netlink tells that it is gone");
    if (turn == 1) test.join();
  }
  world::expect(
      test.memberships.find(*test.wanted.begin())->state == MembershipState::waiting_interface,
      "gone: waiting for the interface");
  test.balance();
}

}  // namespace

int main() {
  world::enter();
  world::run(
      "ip link add in0 type veth peer name out0 && ip link set in0 up && ip link set out0 up");
  std::ifstream limit("/proc/sys/net/ipv4/igmp_max_memberships");
  int memberships = 0;
  limit >> memberships;
  world::expect(memberships == 20, "igmp_max_memberships is at its default, 20");
  for (const char* interface : {"in0", "lo"})
    thousand_groups(interface);
  sources("in0");
  ipv6("in0");
  ipv6_sources("in0");
  refused("in0");
  recreated();
}
