// One socket receives events, the other one asks. An interface is combined from three dumps: links,
// addresses, queueing disciplines. The dumps are not of one moment, but a change between them also
// arrives as an event, and the caller asks again.
//
// If the kernel's tables change during a dump, the dump is marked NLM_F_DUMP_INTR and may lack
// entries: we ask again. If events come faster than we read them, the socket reports ENOBUFS: then
// we know only that something has changed.
#include "mcr/host/netlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
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

using OnMessage = std::function<void(rtnetlink::Message)>;

UniqueFd open_socket(unsigned groups) {
  Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (!socket.valid()) throw_errno("open", "netlink");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!socket.bind(address)) throw_errno("bind", "netlink");
  return std::move(socket).take();
}

rtnetlink::Message bytes_of(const nlmsghdr* message) {
  return {reinterpret_cast<const std::byte*>(message), message->nlmsg_len};
}

[[noreturn]] void throw_answer(const nlmsghdr* message) {
  nlmsgerr error{};
  std::memcpy(&error, mnl_nlmsg_get_payload(message),
              std::min<std::size_t>(sizeof error, mnl_nlmsg_get_payload_len(message)));
  throw OsError(-error.error, "read", "netlink");
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
      if (message->nlmsg_type == NLMSG_ERROR) throw_answer(message);
      on_message(bytes_of(message));
    }
  }
}

/// The values that `parse` finds in the messages of a dump.
template <typename Value>
std::vector<Value> dump(Fd socket, std::uint16_t type, std::size_t header_bytes,
                        std::uint32_t& sequence,
                        std::optional<Value> (*parse)(rtnetlink::Message)) {
  for (int attempt = 0; attempt < dump_attempts; ++attempt) {
    std::vector<Value> values;
    const auto add = [&](rtnetlink::Message message) {
      if (auto value = parse(message)) values.push_back(std::move(*value));
    };
    if (dump_once(socket, type, header_bytes, ++sequence, add)) return values;
  }
  throw OsError(EAGAIN, "read", "netlink (it changes all the time)");
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
  auto links = dump(requests_, RTM_GETLINK, sizeof(ifinfomsg), sequence_, rtnetlink::parse_link);
  auto addresses =
      dump(requests_, RTM_GETADDR, sizeof(ifaddrmsg), sequence_, rtnetlink::parse_address);
  const auto disciplines = read_disciplines();
  for (auto& link : links) {
    const auto known = incarnations_.find(link.index);
    link.incarnation = known == incarnations_.end() ? others_ : known->second;
    link.segments = takes_segments(link.name);
  }
  if (incarnations_.size() > links.size() + most_deleted) forget_deleted(links);
  return rtnetlink::combine(std::move(links), std::move(addresses), disciplines);
}

std::vector<LinkStats> Netlink::read_stats() {
  auto links =
      dump(requests_, RTM_GETLINK, sizeof(ifinfomsg), sequence_, rtnetlink::parse_link_stats);
  return rtnetlink::combine(std::move(links), read_disciplines());
}

std::vector<rtnetlink::Discipline> Netlink::read_disciplines() {
  return dump(requests_, RTM_GETQDISC, sizeof(tcmsg), sequence_, rtnetlink::parse_discipline);
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
      if (const auto index = rtnetlink::parse_deleted_link(bytes_of(message)))
        incarnations_[*index] = ++deletions_;
    }
  }
}

}  // namespace mcr
