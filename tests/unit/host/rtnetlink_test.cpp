// Messages are built as the kernel builds them (libmnl), then cut short and overwritten. Under
// AddressSanitizer a read beyond the message fails: each is parsed from memory of its own length.
#include "mcr/host/rtnetlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace mcr::rtnetlink;

namespace {

/// One message under construction.
class Builder {
 public:
  explicit Builder(std::uint16_t type) { mnl_nlmsg_put_header(buffer_.data())->nlmsg_type = type; }
  template <typename Info>
  Builder& info(const Info& info) {
    std::memcpy(mnl_nlmsg_put_extra_header(header(), sizeof info), &info, sizeof info);
    return *this;
  }
  Builder& attribute(std::uint16_t type, const void* data, std::size_t bytes) {
    mnl_attr_put(header(), type, bytes, data);
    return *this;
  }
  template <typename Value>
  Builder& attribute(std::uint16_t type, const Value& value) {
    return attribute(type, &value, sizeof value);
  }
  Builder& text(std::uint16_t type, const std::string& text) {
    return attribute(type, text.c_str(), text.size() + 1);
  }
  template <typename Value>
  Builder& nested(std::uint16_t outer, std::uint16_t inner, const Value& value) {
    auto* nest = mnl_attr_nest_start(header(), outer);
    mnl_attr_put(header(), inner, sizeof value, &value);
    mnl_attr_nest_end(header(), nest);
    return *this;
  }
  Builder& names(const std::vector<std::string>& names) {
    auto* nest = mnl_attr_nest_start(header(), IFLA_PROP_LIST);
    for (const auto& name : names)
      mnl_attr_put_strz(header(), IFLA_ALT_IFNAME, name.c_str());
    mnl_attr_nest_end(header(), nest);
    return *this;
  }
  [[nodiscard]] std::vector<std::byte> bytes() const {
    const auto length = reinterpret_cast<const nlmsghdr*>(buffer_.data())->nlmsg_len;
    return {buffer_.data(), buffer_.data() + length};
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

  alignas(nlmsghdr) std::array<std::byte, 1024> buffer_{};
};

ifinfomsg link_info(int index, unsigned flags, unsigned short type = ARPHRD_ETHER) {
  ifinfomsg info{};
  info.ifi_index = index;
  info.ifi_flags = flags;
  info.ifi_type = type;
  return info;
}

Builder link_message(const std::string& name = "eth0") {
  rtnl_link_stats64 stats{};
  stats.rx_missed_errors = 1;
  stats.rx_dropped = 2;
  stats.tx_dropped = 3;
  return Builder(RTM_NEWLINK)
      .info(link_info(7, IFF_UP | IFF_LOWER_UP | IFF_SLAVE))
      .text(IFLA_IFNAME, name)
      .attribute(IFLA_MTU, std::uint32_t{1500})
      .attribute(IFLA_STATS64, stats);
}

ifaddrmsg address_info(std::uint8_t family, std::uint8_t scope = RT_SCOPE_UNIVERSE,
                       std::uint8_t flags = 0) {
  ifaddrmsg info{};
  info.ifa_family = family;
  info.ifa_scope = scope;
  info.ifa_flags = flags;
  info.ifa_index = 7;
  return info;
}

constexpr std::array<std::uint8_t, 4> near{10, 0, 0, 1};
constexpr std::array<std::uint8_t, 4> far{10, 0, 0, 2};

Builder address_message(std::uint8_t flags = 0) {
  return Builder(RTM_NEWADDR)
      .info(address_info(AF_INET, RT_SCOPE_UNIVERSE, flags))
      .attribute(IFA_ADDRESS, far)
      .attribute(IFA_LOCAL, near);
}

Builder discipline_message(std::uint32_t parent = TC_H_ROOT, const std::string& kind = "tbf") {
  tcmsg info{};
  info.tcm_ifindex = 7;
  info.tcm_parent = parent;
  gnet_stats_queue queue{};
  queue.drops = 9;
  return Builder(RTM_NEWQDISC)
      .info(info)
      .text(TCA_KIND, kind)
      .nested(TCA_STATS2, TCA_STATS_QUEUE, queue);
}

}  // namespace

TEST_CASE("a link") {
  const auto link = parse_link(link_message().bytes());
  REQUIRE(link);
  CHECK(link->name == "eth0");
  CHECK(link->index == 7);
  CHECK(link->mtu == 1500);
  CHECK(link->type == ARPHRD_ETHER);
  CHECK(link->up);
  CHECK(link->master_kind == MasterKind::bond);
  CHECK_FALSE(link->point_to_point);
  CHECK(link->alt_names.empty());
  const std::vector<std::string> names{"enp1s0", std::string(127, 'x')};
  CHECK(parse_link(link_message().names(names).bytes())->alt_names == names);
  const auto stats = parse_link_stats(link_message().bytes());
  REQUIRE(stats);
  CHECK(stats->name == "eth0");
  CHECK(stats->index == 7);
  CHECK(stats->rx_missed == 1);
  CHECK(stats->rx_dropped == 2);
  CHECK(stats->tx_dropped == 3);
}

TEST_CASE("what a master does with a port's frames is told by its kind") {
  struct Row {
    std::string kind;
    MasterKind master_kind;
  };
  for (const auto& [kind, master_kind] :
       {Row{"bridge", MasterKind::bridge}, Row{"bond", MasterKind::bond},
        Row{"team", MasterKind::bond}, Row{"vrf", MasterKind::none},
        Row{"batadv", MasterKind::none}, Row{"", MasterKind::bridge}}) {
    CAPTURE(kind);
    std::array<char, 8> text{};
    std::ranges::copy(kind, text.begin());
    const auto link = parse_link(Builder(RTM_NEWLINK)
                                     .info(link_info(7, IFF_UP))
                                     .text(IFLA_IFNAME, "eth0")
                                     .attribute(IFLA_MASTER, std::uint32_t{9})
                                     .nested(IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND, text)
                                     .bytes());
    REQUIRE(link);
    CHECK(link->master == 9);
    CHECK(link->master_kind == master_kind);
  }
  const auto alone =
      parse_link(Builder(RTM_NEWLINK).info(link_info(7, IFF_UP)).text(IFLA_IFNAME, "eth0").bytes());
  REQUIRE(alone);
  CHECK(alone->master == 0);
  CHECK(alone->master_kind == MasterKind::none);
}

TEST_CASE("a link is up with carrier only") {
  struct Row {
    unsigned flags;
    bool up;
  };
  for (const auto& [flags, up] : {Row{0, false}, Row{IFF_UP, false}, Row{IFF_LOWER_UP, false},
                                  Row{IFF_UP | IFF_LOWER_UP, true}})
    CHECK(parse_link(Builder(RTM_NEWLINK)
                         .info(link_info(1, flags | IFF_POINTOPOINT))
                         .text(IFLA_IFNAME, "tun0")
                         .bytes())
              ->up == up);
}

TEST_CASE("a link without a name is none; what it does not tell is zero") {
  CHECK_FALSE(parse_link(Builder(RTM_NEWLINK).info(link_info(1, 0)).bytes()));
  CHECK_FALSE(parse_link_stats(Builder(RTM_NEWLINK).info(link_info(1, 0)).bytes()));
  CHECK_FALSE(parse_link(link_message("").bytes()));
  const auto bare = Builder(RTM_NEWLINK).info(link_info(1, 0)).text(IFLA_IFNAME, "a").bytes();
  CHECK(parse_link(bare)->mtu == 0);
  CHECK(parse_link_stats(bare)->tx_dropped == 0);
}

TEST_CASE("a name ends with its attribute, and a number may be shorter than ours") {
  const auto message = Builder(RTM_NEWLINK)
                           .info(link_info(1, 0))
                           .attribute(IFLA_IFNAME, "eth0", 4)
                           .attribute(IFLA_MTU, std::uint16_t{1400})
                           .bytes();
  CHECK(parse_link(message)->name == "eth0");
  CHECK(parse_link(message)->mtu == 1400);
}

TEST_CASE("a message of another type is none of ours") {
  CHECK_FALSE(parse_link(address_message().bytes()));
  CHECK_FALSE(parse_link_stats(discipline_message().bytes()));
  CHECK_FALSE(parse_address(link_message().bytes()));
  CHECK_FALSE(parse_discipline(link_message().bytes()));
  CHECK_FALSE(parse_deleted_link(link_message().bytes()));
}

TEST_CASE("an address is the near end of its link, ranked as the kernel ranks it") {
  const auto plain = parse_address(address_message().bytes());
  REQUIRE(plain);
  CHECK(plain->index == 7);
  CHECK(plain->address.str() == "10.0.0.1");
  CHECK(plain->rank < parse_address(address_message(IFA_F_SECONDARY).bytes())->rank);
  CHECK(parse_address(address_message(IFA_F_SECONDARY).bytes())->rank <
        parse_address(address_message(IFA_F_DEPRECATED).bytes())->rank);
  const auto alone =
      Builder(RTM_NEWADDR).info(address_info(AF_INET)).attribute(IFA_ADDRESS, far).bytes();
  CHECK(parse_address(alone)->address.str() == "10.0.0.2");
}

TEST_CASE("an address that cannot be sent from is left out") {
  CHECK_FALSE(parse_address(address_message(IFA_F_TENTATIVE).bytes()));
  CHECK_FALSE(parse_address(address_message(IFA_F_DADFAILED).bytes()));
  CHECK(parse_address(address_message(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC).bytes()));
  // The long flags count where there are any.
  CHECK(parse_address(
      address_message(IFA_F_TENTATIVE).attribute(IFA_FLAGS, std::uint32_t{0}).bytes()));
  CHECK_FALSE(parse_address(Builder(RTM_NEWADDR).info(address_info(AF_INET)).bytes()));
  // Too short for its family, or of a family that we do not know.
  for (const auto family : {AF_INET6, AF_PACKET})
    CHECK_FALSE(parse_address(Builder(RTM_NEWADDR)
                                  .info(address_info(static_cast<std::uint8_t>(family)))
                                  .attribute(IFA_LOCAL, near)
                                  .bytes()));
}

TEST_CASE("a queueing discipline shapes unless it is known not to") {
  const auto shaper = parse_discipline(discipline_message().bytes());
  REQUIRE(shaper);
  CHECK(shaper->index == 7);
  CHECK(shaper->root);
  CHECK(shaper->shapes);
  CHECK(shaper->drops == 9);
  CHECK_FALSE(parse_discipline(discipline_message(0x10000, "fq_codel").bytes())->root);
  CHECK_FALSE(parse_discipline(discipline_message(0x10000, "fq_codel").bytes())->shapes);
  CHECK_FALSE(parse_discipline(discipline_message(TC_H_INGRESS, "clsact").bytes()));
  CHECK_FALSE(parse_discipline(Builder(RTM_NEWQDISC).info(tcmsg{}).bytes()));
  CHECK(parse_discipline(Builder(RTM_NEWQDISC).info(tcmsg{}).text(TCA_KIND, "fq").bytes())->drops ==
        0);
}

TEST_CASE("a link that is gone, and a port that only left its bridge") {
  CHECK(parse_deleted_link(Builder(RTM_DELLINK).info(link_info(7, 0)).bytes()) == 7U);
  auto port = link_info(7, 0);
  port.ifi_family = AF_BRIDGE;
  CHECK_FALSE(parse_deleted_link(Builder(RTM_DELLINK).info(port).bytes()));
}

TEST_CASE("messages cut short or overwritten are read within their bounds") {
  std::mt19937 random(1);
  const std::array messages{link_message().bytes(), address_message().bytes(),
                            discipline_message().bytes(),
                            Builder(RTM_DELLINK).info(link_info(7, 0)).bytes()};
  const auto parse_as_all = [](const std::vector<std::byte>& message) {
    (void)parse_link(message);
    (void)parse_link_stats(message);
    (void)parse_address(message);
    (void)parse_discipline(message);
    (void)parse_deleted_link(message);
  };
  for (const auto& message : messages) {
    for (std::size_t length = 0; length < message.size(); ++length) {
      std::vector<std::byte> cut(message.begin(), message.begin() + static_cast<long>(length));
      parse_as_all(cut);
      if (length < sizeof(nlmsghdr)) continue;
      const auto told = static_cast<std::uint32_t>(length);  // and the header tells so
      std::memcpy(cut.data(), &told, sizeof told);
      parse_as_all(cut);
    }
    for (int i = 0; i < 20'000; ++i) {
      auto changed = message;
      for (auto n = random() % 3 + 1; n > 0; --n)
        changed[random() % changed.size()] = static_cast<std::byte>(random());
      parse_as_all(changed);
    }
  }
}

TEST_CASE("a link is combined with its addresses, best first, and its shaper") {
  const auto address = [](unsigned index, unsigned scope, const char* text) {
    return Address{index, {scope, false, false}, *IpAddress::parse(text)};
  };
  Interface first;
  first.name = "a";
  first.index = 1;
  auto second = first;
  second.name = "b";
  second.index = 2;
  const auto all = combine({second, first},
                           {address(1, RT_SCOPE_LINK, "fe80::1"),
                            address(1, RT_SCOPE_UNIVERSE, "10.0.0.1"), address(9, 0, "10.0.0.9")},
                           {{2, true, false, 0}, {2, false, true, 0}, {9, true, true, 0}});
  REQUIRE(all.all().size() == 2);
  CHECK(all.find("a")->addresses ==
        std::vector{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fe80::1")});
  CHECK_FALSE(all.find("a")->shaped);
  CHECK(all.find("b")->shaped);
  CHECK(all.find("b")->addresses.empty());
}

TEST_CASE("a root discipline's drops are its link's") {
  const auto stats = combine({{.name = "b", .index = 2}, {.name = "a", .index = 1}},
                             {{1, true, false, 4}, {1, false, false, 2}, {3, true, false, 8}});
  REQUIRE(stats.size() == 2);
  CHECK(stats[0].name == "a");
  CHECK(stats[0].qdisc_drops == 4);
  CHECK(stats[1].qdisc_drops == 0);
}

TEST_CASE("a subnet of four or more has a broadcast address") {
  const auto broadcast = [](unsigned prefix_bits) {
    auto info = address_info(AF_INET);
    info.ifa_prefixlen = static_cast<std::uint8_t>(prefix_bits);
    return parse_address(Builder(RTM_NEWADDR).info(info).attribute(IFA_LOCAL, near).bytes())
        ->broadcast;
  };
  CHECK(broadcast(24).str() == "10.0.0.255");
  CHECK(broadcast(30).str() == "10.0.0.3");
  CHECK_FALSE(broadcast(31));
  CHECK_FALSE(broadcast(32));
}
