// Two or three questions, each with one answer:
//   RTM_GETROUTE with the outgoing interface: the gateway, or the error of the route. An interface
//     without a route is answered as if the destination were on its link, as a send would be.
//   the same with RTM_F_FIB_MATCH: an error if no route matched, which tells that case apart.
//   RTM_GETNEIGH: the neighbour's state; ENOENT without an entry.
#include "mcr/host/next_hop.hpp"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "mcr/base/error.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

using OnAnswer = std::function<void(const nlmsghdr*)>;

class Request {
 public:
  template <typename Info>
  Info& begin(std::uint16_t type, std::uint32_t sequence) {
    auto* header = mnl_nlmsg_put_header(bytes_.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = sequence;
    return *static_cast<Info*>(mnl_nlmsg_put_extra_header(header, sizeof(Info)));
  }
  void add(std::uint16_t type, const IpAddress& address) {
    mnl_attr_put(header(), type, address.bytes().size(), address.bytes().data());
  }
  void add(std::uint16_t type, std::uint32_t number) { mnl_attr_put_u32(header(), type, number); }

  /// Returns 0 after one answer, or the errno value that the kernel gave instead.
  [[nodiscard]] int ask(Fd socket, const OnAnswer& on_answer) {
    if (::send(socket.get(), header(), header()->nlmsg_len, 0) < 0) throw_errno("ask", "netlink");
    alignas(nlmsghdr) std::array<char, 8192> buffer;
    while (true) {
      const auto received = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (received < 0 && errno == EINTR) continue;
      if (received < 0) throw_errno("read", "netlink");
      const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data());
      if (!mnl_nlmsg_ok(answer, static_cast<int>(received)) ||
          answer->nlmsg_seq != header()->nlmsg_seq)
        continue;
      if (answer->nlmsg_type != NLMSG_ERROR) {
        on_answer(answer);
        return 0;
      }
      nlmsgerr error{};
      std::memcpy(&error, mnl_nlmsg_get_payload(answer),
                  std::min<std::size_t>(sizeof error, mnl_nlmsg_get_payload_len(answer)));
      return -error.error;
    }
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }

  alignas(nlmsghdr) std::array<char, 256> bytes_{};
};

Request route_request(const Way& way, unsigned flags, std::uint32_t sequence) {
  Request request;
  auto& route = request.begin<rtmsg>(RTM_GETROUTE, sequence);
  const auto bits = static_cast<unsigned char>(way.destination.bytes().size() * 8);
  route.rtm_family = static_cast<unsigned char>(way.destination.family());
  route.rtm_dst_len = bits;
  route.rtm_flags = flags;
  request.add(RTA_DST, way.destination);
  request.add(RTA_OIF, way.interface_index);
  if (way.source) {
    route.rtm_src_len = bits;
    request.add(RTA_SRC, way.source);
  }
  return request;
}

IpAddress address_in(const nlattr* attribute) {
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  const auto size = mnl_attr_get_payload_len(attribute);
  if (size == 4) return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4));
  return size == 16 ? IpAddress::v6(std::span<const std::uint8_t, 16>(bytes, 16)) : IpAddress();
}

/// RTA_GATEWAY, or RTA_VIA for a gateway of another family (RFC 5549); none on the link.
IpAddress gateway_of(const nlmsghdr* answer) {
  IpAddress gateway;
  const auto read = [](const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
      *static_cast<IpAddress*>(data) = address_in(attribute);
    return MNL_CB_OK;
  };
  mnl_attr_parse(answer, sizeof(rtmsg), read, &gateway);
  return gateway;
}

Neighbour state_of(const nlmsghdr* answer) {
  const auto state = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(answer))->ndm_state;
  if ((state & NUD_FAILED) != 0) return Neighbour::failed;
  if ((state & NUD_INCOMPLETE) != 0) return Neighbour::resolving;
  return state == NUD_NONE ? Neighbour::unknown : Neighbour::usable;
}

}  // namespace

NextHopLookup::NextHopLookup() {
  Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!socket.valid() || !socket.bind(address)) throw_errno("open", "netlink");
  constexpr timeval patience{1, 0};  // the kernel answers at once, or has lost the answer
  socket.try_set(SOL_SOCKET, SO_RCVTIMEO, patience);
  socket_ = std::move(socket).take();
}

NextHop NextHopLookup::find(const Way& way) {
  NextHop hop;
  hop.address = way.destination;
  hop.error = route_request(way, 0, ++sequence_).ask(socket_, [&](const nlmsghdr* answer) {
    if (const auto gateway = gateway_of(answer)) hop.address = gateway;
  });
  if (hop.error != 0) return hop;
  hop.assumed =
      route_request(way, RTM_F_FIB_MATCH, ++sequence_).ask(socket_, [](const nlmsghdr*) {}) != 0;
  Request request;
  auto& neighbour = request.begin<ndmsg>(RTM_GETNEIGH, ++sequence_);
  neighbour.ndm_family = static_cast<std::uint8_t>(hop.address.family());
  neighbour.ndm_ifindex = static_cast<int>(way.interface_index);
  request.add(NDA_DST, hop.address);
  (void)request.ask(socket_, [&](const nlmsghdr* answer) { hop.neighbour = state_of(answer); });
  return hop;
}

}  // namespace mcr
