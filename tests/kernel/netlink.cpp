// Netlink as an unprivileged user sees it: each change of a link, an address or a queueing
// discipline is told, and the next snapshot has it.
#include "mcr/host/netlink.hpp"

#include <net/if_arp.h>

#include <vector>

#include "world.hpp"

namespace {

using namespace mcr;

const auto ipv4 = IpAddress::parse("239.1.1.1").value();
const auto ipv6 = IpAddress::parse("ff05::1").value();

/// After `command` an event was told and `holds` is true of the interface (null: missing).
template <typename Holds>
void after(Netlink& netlink, const std::string& command, const char* name, Holds holds) {
  netlink.drain();
  world::run(command);
  const auto deadline = world::now_ns() + 3'000'000'000;
  bool told = false, seen = false;
  while (!(told && seen) && world::now_ns() < deadline) {
    told = netlink.drain() || told;  // carrier and addresses change some time after the command
    seen = holds(netlink.snapshot().find(name));
  }
  world::expect(told && seen, command);
}

std::string addresses(const Interface& interface) {
  std::string text;
  for (const auto& address : interface.addresses)
    text += address.str() + " ";
  return text;
}

void many_links(Netlink& netlink) {
  const auto before = netlink.snapshot().all().size();
  for (int i = 0; i < 100; ++i)
    world::run(fmt::format("ip link add many{} group 7 type veth peer name ynam{}", i, i));
  world::expect(netlink.snapshot().all().size() == before + 200, "a dump of several messages");
  world::expect(netlink.drain(), "hundreds of events are told");
  world::expect(!netlink.drain(), "and taken");
  const auto lo = netlink.snapshot().find("lo")->incarnation;
  world::run("ip link del group 7");
  world::expect(netlink.drain(), "so is their end");
  world::expect(netlink.snapshot().all().size() == before, "they are gone");
  world::expect(netlink.snapshot().find("lo")->incarnation == lo, "what stays is as it was");
}

/// A link counts the datagrams that its queueing discipline drops.
void qdisc_drops(Netlink& netlink) {
  const int away = world::peer();
  (void)away;
  world::run("tc qdisc add dev near root tbf rate 8kbit burst 2000 limit 2000");
  const int socket = world::sender("239.1.1.1", 5000);
  const std::vector<char> payload(1400);
  for (int i = 0; i < 50; ++i)
    (void)::send(socket, payload.data(), payload.size(), 0);
  for (const auto& stats : netlink.stats())
    if (stats.name == "near")
      world::expect(
          stats.qdisc_drops > 40 && stats.qdisc_drops < 50,
          fmt::format("{} of 50 datagrams dropped by tbf are counted", stats.qdisc_drops));
}

}  // namespace

int main() {
  world::enter();
  Netlink netlink;
  const auto lo = *netlink.snapshot().find("lo");
  world::expect(lo.up && lo.type == ARPHRD_LOOPBACK && lo.mtu == 65536, "lo is up");
  world::expect(lo.source(ipv4) != nullptr && lo.source(ipv4)->str() == "127.0.0.1",
                "lo has 127.0.0.1");
  netlink.drain();
  world::expect(!netlink.drain(), "no event: nothing changed");

  after(netlink, "ip link add va type veth peer name vb", "va", [](const Interface* a) {
    return a != nullptr && !a->up && a->addresses.empty() && !a->shaped;
  });
  after(netlink, "ip link set va up", "va", [](const Interface* a) { return !a->up; });
  after(netlink, "ip link set vb up", "va", [](const Interface* a) { return a->up; });
  after(netlink, "ip link set va mtu 9000", "va",
        [](const Interface* a) { return a->mtu == 9000; });
  after(netlink, "ip addr add 169.254.1.1/16 dev va scope link", "va",
        [](const Interface* a) { return a->source(ipv4)->str() == "169.254.1.1"; });
  after(netlink, "ip addr add 10.1.0.1/24 dev va && ip addr add 10.1.0.2/24 dev va", "va",
        [](const Interface* a) { return addresses(*a).starts_with("10.1.0.1 10.1.0.2 "); });
  after(netlink, "ip addr del 10.1.0.1/24 dev va && ip addr add 10.1.0.3 peer 10.7.0.1 dev va",
        "va",
        [](const Interface* a) { return addresses(*a).find("10.1.0.3") != std::string::npos; });
  after(netlink, "ip addr add 2001:db8::1/64 dev va nodad", "va", [](const Interface* a) {
    return a->source(ipv6) != nullptr && a->source(ipv6)->str() == "2001:db8::1";
  });
  after(netlink, "tc qdisc add dev va root tbf rate 1mbit burst 3000 limit 3000", "va",
        [](const Interface* a) { return a->shaped; });
  after(netlink, "tc qdisc replace dev va root pfifo", "va",
        [](const Interface* a) { return !a->shaped; });
  after(netlink, "tc qdisc del dev va root", "va", [](const Interface* a) { return !a->shaped; });
  after(netlink, "ip link set vb down", "va", [](const Interface* a) { return !a->up; });
  after(netlink, "ip link set va down && ip link set va name vc", "vc",
        [](const Interface* c) { return c != nullptr; });
  const auto index = netlink.snapshot().find("vc")->index;
  after(netlink, fmt::format("ip link del vc && ip link add vc index {} type veth", index), "vc",
        [](const Interface* c) { return c != nullptr && c->incarnation != 0; });
  const auto incarnation = netlink.snapshot().find("vc")->incarnation;
  after(netlink, "ip link del vc", "vc", [](const Interface* c) { return c == nullptr; });
  many_links(netlink);
  after(netlink, fmt::format("ip link add vc index {} type veth", index), "vc",
        [=](const Interface* c) { return c != nullptr && c->incarnation > incarnation; });

  qdisc_drops(netlink);
}
