// Two sockets: one listens to what changes, the other asks. An interface is put together from three
// dumps (links, addresses, queueing disciplines). They are not of one moment, but what changes in
// between also arrives as an event, and makes the caller ask again.
//
// A dump during which the kernel's tables changed comes with NLM_F_DUMP_INTR and may lack entries:
// it is asked for again. When events come faster than they are taken, the socket reports ENOBUFS:
// nothing is known then but that something has changed.
#include "mcr/host/netlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {
namespace {

constexpr std::size_t receive_bytes = 65536;  // the kernel fills at most 32 KiB a dump message
constexpr int dump_attempts = 20;
constexpr std::uint64_t event_buffer_bytes = 4U << 20U;
constexpr std::size_t most_deleted = 128;  // that are remembered

using OnMessage = std::function<void(const nlmsghdr*)>;
/// The attributes of one message, by type; null where absent.
template <std::size_t Types>
using Attributes = std::array<const nlattr*, Types>;

template <std::size_t Types>
int store(const nlattr* attribute, void* data) {
  auto& table = *static_cast<Attributes<Types>*>(data);
  if (auto type = mnl_attr_get_type(attribute); type < Types) table[type] = attribute;
  return MNL_CB_OK;
}

template <std::size_t Types>
Attributes<Types> attributes_of(const nlmsghdr* message, std::size_t header_bytes) {
  Attributes<Types> table{};
  mnl_attr_parse(message, static_cast<unsigned>(header_bytes), store<Types>, &table);
  return table;
}

/// The kernel's structures grow over time: what an older one lacks is zero.
template <typename Value>
Value value_of(const nlattr* attribute) {
  Value value{};
  if (attribute != nullptr)
    std::memcpy(&value, mnl_attr_get_payload(attribute),
                std::min<std::size_t>(sizeof value, mnl_attr_get_payload_len(attribute)));
  return value;
}

UniqueFd open_socket(unsigned groups) {
  Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (!socket.valid()) throw_errno("open", "netlink");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!socket.bind(address)) throw_errno("bind", "netlink");
  return std::move(socket).take();
}

/// One dump of `type`; false if it was interrupted and has to be repeated.
bool dump_once(Fd socket, std::uint16_t type, std::size_t header_bytes, std::uint32_t sequence,
               const OnMessage& on_message) {
  alignas(nlmsghdr) std::array<char, 64> request{};
  nlmsghdr* header = mnl_nlmsg_put_header(request.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  mnl_nlmsg_put_extra_header(header, header_bytes);
  if (::send(socket.get(), header, header->nlmsg_len, 0) < 0) throw_errno("ask", "netlink");

  bool complete = true;
  alignas(nlmsghdr) static thread_local std::array<char, receive_bytes> buffer;
  while (true) {
    const auto received = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) throw_errno("read", "netlink");
    auto left = static_cast<int>(received);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence) continue;  // the rest of a dump given up
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) complete = false;
      if (message->nlmsg_type == NLMSG_DONE) return complete;
      if (message->nlmsg_type == NLMSG_ERROR) {
        const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
        throw OsError(-error->error, "read", "netlink");
      }
      on_message(message);
    }
  }
}

/// Each message turned into a Value by `parse`, which may also say that it is none.
template <typename Value, typename Parse>
std::vector<Value> dump(Fd socket, std::uint16_t type, std::size_t header_bytes,
                        std::uint32_t& sequence, Parse parse) {
  for (int attempt = 0; attempt < dump_attempts; ++attempt) {
    std::vector<Value> values;
    const bool complete =
        dump_once(socket, type, header_bytes, ++sequence, [&](const nlmsghdr* message) {
          if (Value value; parse(message, value)) values.push_back(std::move(value));
        });
    if (complete) return values;
  }
  throw OsError(EAGAIN, "read", "netlink (it changes all the time)");
}

/// The order in which the kernel's own choice of a source would see them (addr(7), RFC 6724):
/// wide scope first, then what is not deprecated, not secondary.
struct Address {
  unsigned index;
  std::tuple<unsigned, bool, bool> rank;
  IpAddress address;
};

struct Discipline {
  unsigned index;
  bool root;
  bool shapes;
  std::uint64_t drops;
};

bool parse_link(const nlmsghdr* message, Interface& link) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  const auto attributes = attributes_of<IFLA_MTU + 1>(message, sizeof *info);
  if (message->nlmsg_type != RTM_NEWLINK || attributes[IFLA_IFNAME] == nullptr) return false;
  link.name = mnl_attr_get_str(attributes[IFLA_IFNAME]);
  link.index = static_cast<unsigned>(info->ifi_index);
  link.up = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_LOWER_UP) != 0;
  link.mtu = value_of<std::uint32_t>(attributes[IFLA_MTU]);
  link.type = info->ifi_type;
  link.point_to_point = (info->ifi_flags & IFF_POINTOPOINT) != 0;
  link.enslaved = (info->ifi_flags & IFF_SLAVE) != 0;
  return true;
}

bool parse_link_stats(const nlmsghdr* message, LinkStats& stats) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  const auto attributes = attributes_of<IFLA_STATS64 + 1>(message, sizeof *info);
  if (message->nlmsg_type != RTM_NEWLINK || attributes[IFLA_IFNAME] == nullptr) return false;
  const auto counters = value_of<rtnl_link_stats64>(attributes[IFLA_STATS64]);
  stats.name = mnl_attr_get_str(attributes[IFLA_IFNAME]);
  stats.index = static_cast<unsigned>(info->ifi_index);
  stats.rx_missed = counters.rx_missed_errors;
  stats.rx_dropped = counters.rx_dropped;
  stats.tx_dropped = counters.tx_dropped;
  return true;
}

IpAddress ip_address(std::uint8_t family, const nlattr* attribute) {
  std::span bytes(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
                  mnl_attr_get_payload_len(attribute));
  if (family == AF_INET && bytes.size() >= 4) return IpAddress::v4(bytes.first<4>());
  if (family == AF_INET6 && bytes.size() >= 16) return IpAddress::v6(bytes.first<16>());
  return {};
}

bool parse_address(const nlmsghdr* message, Address& address) {
  const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  const auto attributes = attributes_of<IFA_FLAGS + 1>(message, sizeof *info);
  // On a point-to-point link IFA_ADDRESS is the other end.
  const auto* own =
      attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  if (message->nlmsg_type != RTM_NEWADDR || own == nullptr) return false;
  const auto flags = attributes[IFA_FLAGS] != nullptr
                         ? value_of<std::uint32_t>(attributes[IFA_FLAGS])
                         : info->ifa_flags;
  const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
  if (tentative || (flags & IFA_F_DADFAILED) != 0) return false;
  address.index = info->ifa_index;
  address.rank = {info->ifa_scope, (flags & IFA_F_DEPRECATED) != 0, (flags & IFA_F_SECONDARY) != 0};
  address.address = ip_address(info->ifa_family, own);
  return static_cast<bool>(address.address);
}

bool shapes(std::string_view kind) {
  static const std::set<std::string_view> harmless = {"noqueue", "pfifo_fast", "fq_codel", "fq",
                                                      "mq",      "pfifo",      "noop"};
  return !harmless.contains(kind);
}

std::uint64_t queue_drops(const nlattr* stats) {
  if (stats == nullptr) return 0;
  Attributes<TCA_STATS_QUEUE + 1> nested{};
  mnl_attr_parse_nested(stats, store<nested.size()>, &nested);
  return value_of<gnet_stats_queue>(nested[TCA_STATS_QUEUE]).drops;
}

bool parse_discipline(const nlmsghdr* message, Discipline& discipline) {
  const auto* info = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
  const auto attributes = attributes_of<TCA_STATS2 + 1>(message, sizeof *info);
  // What hangs at the ingress (also clsact) has no part in sending.
  if (message->nlmsg_type != RTM_NEWQDISC || info->tcm_parent == TC_H_INGRESS) return false;
  if (attributes[TCA_KIND] == nullptr) return false;
  discipline = {static_cast<unsigned>(info->tcm_ifindex), info->tcm_parent == TC_H_ROOT,
                shapes(mnl_attr_get_str(attributes[TCA_KIND])),
                queue_drops(attributes[TCA_STATS2])};
  return true;
}

}  // namespace

Netlink::Netlink()
    : events_(open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC)),
      requests_(open_socket(0)) {
  SocketOptions(events_).ask_for_buffer(SocketBuffer::receive, event_buffer_bytes);
}

/// A dump that was given up goes on in its socket, which answers no other meanwhile (EBUSY).
template <typename Ask>
auto Netlink::ask(Ask&& ask) {
  if (!requests_.valid()) requests_ = open_socket(0);
  try {
    return ask();
  } catch (...) {
    requests_.reset();
    throw;
  }
}

Interfaces Netlink::snapshot() {
  return ask([this] { return read_interfaces(); });
}

std::vector<LinkStats> Netlink::stats() {
  return ask([this] { return read_stats(); });
}

Interfaces Netlink::read_interfaces() {
  auto links = dump<Interface>(requests_, RTM_GETLINK, sizeof(ifinfomsg), sequence_, parse_link);
  auto addresses =
      dump<Address>(requests_, RTM_GETADDR, sizeof(ifaddrmsg), sequence_, parse_address);
  auto disciplines =
      dump<Discipline>(requests_, RTM_GETQDISC, sizeof(tcmsg), sequence_, parse_discipline);
  std::ranges::stable_sort(addresses, {}, &Address::rank);

  std::map<unsigned, Interface*> by_index;
  for (auto& link : links) {
    const auto known = incarnations_.find(link.index);
    link.incarnation = known == incarnations_.end() ? others_ : known->second;
    link.segments = takes_segments(link.name);
    by_index.emplace(link.index, &link);
  }
  if (incarnations_.size() > links.size() + most_deleted) forget_deleted(links);
  for (const auto& [index, rank, address] : addresses)
    if (auto found = by_index.find(index); found != by_index.end())
      found->second->addresses.push_back(address);
  for (const auto& discipline : disciplines)
    if (auto found = by_index.find(discipline.index); found != by_index.end())
      found->second->shaped = found->second->shaped || discipline.shapes;
  return Interfaces(std::move(links));
}

std::vector<LinkStats> Netlink::read_stats() {
  auto links =
      dump<LinkStats>(requests_, RTM_GETLINK, sizeof(ifinfomsg), sequence_, parse_link_stats);
  auto disciplines =
      dump<Discipline>(requests_, RTM_GETQDISC, sizeof(tcmsg), sequence_, parse_discipline);
  for (auto& link : links)
    for (const auto& discipline : disciplines)
      if (discipline.root && discipline.index == link.index) link.qdisc_drops += discipline.drops;
  std::ranges::sort(links, {}, &LinkStats::index);
  return links;
}

/// Hosts of containers delete links by the million. Those that are here keep their incarnation;
/// what comes from now on gets one that none had.
void Netlink::forget_deleted(const std::vector<Interface>& links) {
  incarnations_.clear();
  for (const auto& link : links)
    incarnations_.emplace(link.index, link.incarnation);
  others_ = ++deletions_;
}

bool Netlink::drain() {
  bool changed = false;
  alignas(nlmsghdr) static thread_local std::array<char, receive_bytes> buffer;
  while (true) {
    const auto received = ::recv(events_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return changed;
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno != ENOBUFS) throw_errno("read events of", "netlink");
    changed = true;
    if (received < 0) continue;
    auto left = static_cast<int>(received);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != RTM_DELLINK) continue;
      const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
      // A bridge's RTM_DELLINK only tells of a port that left it.
      if (info->ifi_family == AF_UNSPEC)
        incarnations_[static_cast<unsigned>(info->ifi_index)] = ++deletions_;
    }
  }
}

}  // namespace mcr
