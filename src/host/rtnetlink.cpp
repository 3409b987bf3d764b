// A message is a header (nlmsghdr), a structure of its type, and attributes (rtattr) of which some
// hold attributes again. The structures grow with the kernel: what an older one lacks reads as
// zero, what a newer one adds is skipped.
#include "mcr/host/rtnetlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "mcr/base/prefix.hpp"

namespace mcr::rtnetlink {

namespace {

/// Attributes by type; null where absent.
template <std::size_t Types>
using Attributes = std::array<const nlattr*, Types>;

template <std::size_t Types>
int store(const nlattr* attribute, void* data) {
  auto& table = *static_cast<Attributes<Types>*>(data);
  if (auto type = mnl_attr_get_type(attribute); type < Types) table[type] = attribute;
  return MNL_CB_OK;
}

/// A message of this type, with its structure and its attributes; not valid() if it is another.
template <typename Info, std::size_t Types>
struct Parsed {
  const Info* info = nullptr;
  Attributes<Types> attributes{};

  Parsed(Message message, std::uint16_t type) {
    const auto* header = reinterpret_cast<const nlmsghdr*>(message.data());
    // libmnl reads attributes up to the aligned end, as the kernel has it.
    if (!mnl_nlmsg_ok(header, static_cast<int>(message.size())) || header->nlmsg_type != type ||
        mnl_nlmsg_get_payload_len(header) < sizeof(Info) ||
        MNL_ALIGN(header->nlmsg_len) > message.size())
      return;
    info = static_cast<const Info*>(mnl_nlmsg_get_payload(header));
    mnl_attr_parse(header, sizeof(Info), store<Types>, &attributes);
  }
  [[nodiscard]] bool valid() const { return info != nullptr; }
};

template <typename Value>
Value value_of(const nlattr* attribute) {
  Value value{};
  if (attribute != nullptr)
    std::memcpy(&value, mnl_attr_get_payload(attribute),
                std::min<std::size_t>(sizeof value, mnl_attr_get_payload_len(attribute)));
  return value;
}

/// Up to its null byte, if it has one. "" where absent.
std::string_view text_of(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

IpAddress ip_address(std::uint8_t family, const nlattr* attribute) {
  std::span bytes(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
                  mnl_attr_get_payload_len(attribute));
  if (family == AF_INET && bytes.size() >= 4) return IpAddress::v4(bytes.first<4>());
  if (family == AF_INET6 && bytes.size() >= 16) return IpAddress::v6(bytes.first<16>());
  return {};
}

/// The kernel routes the last address of a subnet of four or more to all hosts of the link
/// (fib_add_ifaddr()), whatever IFA_BROADCAST says.
IpAddress broadcast_of(const IpAddress& address, unsigned prefix_bits) {
  constexpr unsigned most_bits = 30;
  if (!address.is_v4() || address.is_loopback() || prefix_bits == 0 || prefix_bits > most_bits)
    return {};
  return Prefix(address, prefix_bits).last();
}

bool shapes(std::string_view kind) {
  static const std::set<std::string_view> harmless = {"noqueue", "pfifo_fast", "fq_codel", "fq",
                                                      "mq",      "pfifo",      "noop"};
  return !harmless.contains(kind);
}

/// A VRF changes only who routes what arrives. Frames of batman-adv have a protocol of their own.
MasterKind master_kind_of(const nlattr* link_info, unsigned flags, bool has_master) {
  Attributes<IFLA_INFO_SLAVE_KIND + 1> nested{};
  if (link_info != nullptr) mnl_attr_parse_nested(link_info, store<nested.size()>, &nested);
  const auto kind = text_of(nested[IFLA_INFO_SLAVE_KIND]);
  if ((flags & IFF_SLAVE) != 0 || kind == "bond" || kind == "team") return MasterKind::bond;
  return has_master && kind != "vrf" && kind != "batadv" ? MasterKind::bridge : MasterKind::none;
}

std::uint64_t queue_drops(const nlattr* stats) {
  if (stats == nullptr) return 0;
  Attributes<TCA_STATS_QUEUE + 1> nested{};
  mnl_attr_parse_nested(stats, store<nested.size()>, &nested);
  return value_of<gnet_stats_queue>(nested[TCA_STATS_QUEUE]).drops;
}

std::vector<std::string> alt_names_in(const nlattr* properties) {
  std::vector<std::string> names;
  if (properties == nullptr) return names;
  const auto add = [](const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_ALT_IFNAME)
      static_cast<std::vector<std::string>*>(data)->emplace_back(text_of(attribute));
    return MNL_CB_OK;
  };
  mnl_attr_parse_nested(properties, add, &names);
  return names;
}

}  // namespace

std::optional<Interface> parse_link(Message message) {
  const Parsed<ifinfomsg, IFLA_PROP_LIST + 1> link(message, RTM_NEWLINK);
  if (!link.valid() || text_of(link.attributes[IFLA_IFNAME]).empty()) return std::nullopt;
  const auto flags = link.info->ifi_flags;
  Interface result;
  result.name = text_of(link.attributes[IFLA_IFNAME]);
  result.alt_names = alt_names_in(link.attributes[IFLA_PROP_LIST]);
  result.index = static_cast<unsigned>(link.info->ifi_index);
  result.up = (flags & IFF_UP) != 0 && (flags & IFF_LOWER_UP) != 0;
  result.mtu = value_of<std::uint32_t>(link.attributes[IFLA_MTU]);
  result.type = link.info->ifi_type;
  if (const auto* address = link.attributes[IFLA_ADDRESS];
      address != nullptr && mnl_attr_get_payload_len(address) == 6)
    result.link_address = value_of<std::array<std::uint8_t, 6>>(address);
  result.point_to_point = (flags & IFF_POINTOPOINT) != 0;
  result.master = value_of<std::uint32_t>(link.attributes[IFLA_MASTER]);
  result.master_kind = master_kind_of(link.attributes[IFLA_LINKINFO], flags, result.master != 0);
  return result;
}

std::optional<LinkStats> parse_link_stats(Message message) {
  const Parsed<ifinfomsg, IFLA_STATS64 + 1> link(message, RTM_NEWLINK);
  if (!link.valid() || text_of(link.attributes[IFLA_IFNAME]).empty()) return std::nullopt;
  const auto counters = value_of<rtnl_link_stats64>(link.attributes[IFLA_STATS64]);
  LinkStats stats;
  stats.name = text_of(link.attributes[IFLA_IFNAME]);
  stats.index = static_cast<unsigned>(link.info->ifi_index);
  stats.rx_missed = counters.rx_missed_errors;
  stats.rx_dropped = counters.rx_dropped;
  stats.tx_dropped = counters.tx_dropped;
  return stats;
}

std::optional<Address> parse_address(Message message) {
  const Parsed<ifaddrmsg, IFA_FLAGS + 1> parsed(message, RTM_NEWADDR);
  if (!parsed.valid()) return std::nullopt;
  const auto& [info, attributes] = parsed;
  // On a point-to-point link IFA_ADDRESS is the other end.
  const auto* own =
      attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  if (own == nullptr) return std::nullopt;
  // ifa_flags has only the lowest 8 of the bits in IFA_FLAGS.
  const auto flags = attributes[IFA_FLAGS] != nullptr
                         ? value_of<std::uint32_t>(attributes[IFA_FLAGS])
                         : info->ifa_flags;
  const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
  const auto address = ip_address(info->ifa_family, own);
  if (tentative || (flags & IFA_F_DADFAILED) != 0 || !address) return std::nullopt;
  return Address{info->ifa_index,
                 {info->ifa_scope, (flags & IFA_F_DEPRECATED) != 0, (flags & IFA_F_SECONDARY) != 0},
                 address,
                 broadcast_of(address, info->ifa_prefixlen)};
}

std::optional<Discipline> parse_discipline(Message message) {
  const Parsed<tcmsg, TCA_STATS2 + 1> parsed(message, RTM_NEWQDISC);
  if (!parsed.valid()) return std::nullopt;
  const auto& [info, attributes] = parsed;
  // TC_H_INGRESS is the parent of clsact, too.
  if (info->tcm_parent == TC_H_INGRESS || attributes[TCA_KIND] == nullptr) return std::nullopt;
  return Discipline{static_cast<unsigned>(info->tcm_ifindex), info->tcm_parent == TC_H_ROOT,
                    shapes(text_of(attributes[TCA_KIND])), queue_drops(attributes[TCA_STATS2])};
}

std::optional<unsigned> parse_deleted_link(Message message) {
  const Parsed<ifinfomsg, 1> link(message, RTM_DELLINK);
  // The family is AF_BRIDGE where a port has only left its bridge.
  if (!link.valid() || link.info->ifi_family != AF_UNSPEC) return std::nullopt;
  return static_cast<unsigned>(link.info->ifi_index);
}

Interfaces combine(std::vector<Interface> links, std::vector<Address> addresses,
                   const std::vector<Discipline>& disciplines) {
  std::map<unsigned, Interface*> by_index;
  for (auto& link : links)
    by_index.emplace(link.index, &link);
  std::ranges::stable_sort(addresses, {}, &Address::rank);
  for (const auto& [index, rank, address, broadcast] : addresses)
    if (auto found = by_index.find(index); found != by_index.end()) {
      found->second->addresses.push_back(address);
      if (broadcast) found->second->broadcasts.push_back(broadcast);
    }
  for (auto& link : links) {
    auto& all = link.broadcasts;
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  for (const auto& discipline : disciplines)
    if (auto found = by_index.find(discipline.index); found != by_index.end())
      found->second->shaped = found->second->shaped || discipline.shapes;
  return Interfaces(std::move(links));
}

std::vector<LinkStats> combine(std::vector<LinkStats> links,
                               const std::vector<Discipline>& disciplines) {
  for (auto& link : links)
    for (const auto& discipline : disciplines)
      if (discipline.root && discipline.index == link.index) link.qdisc_drops += discipline.drops;
  std::ranges::sort(links, {}, &LinkStats::index);
  return links;
}

}  // namespace mcr::rtnetlink
