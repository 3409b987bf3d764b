#include "mcr/packet/send_header.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstring>

namespace mcr {

namespace {

static_assert(Envelope::control_most >=
              CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)));

template <typename Value>
void append(Envelope& envelope, int level, int type, const Value& value) noexcept {
  auto* header = reinterpret_cast<cmsghdr*>(envelope.control.data() + envelope.control_bytes);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  envelope.control_bytes =
      static_cast<std::uint8_t>(envelope.control_bytes + CMSG_SPACE(sizeof value));
}

/// The value of a control message that the envelope has.
std::byte* find(Envelope& envelope, int type) noexcept {
  auto* header = reinterpret_cast<cmsghdr*>(envelope.control.data());
  while (header->cmsg_type != type)
    header = reinterpret_cast<cmsghdr*>(reinterpret_cast<std::byte*>(header) +
                                        CMSG_ALIGN(header->cmsg_len));
  return reinterpret_cast<std::byte*>(CMSG_DATA(header));
}

void fill_in(Envelope& envelope, int ipv4_type, int ipv6_type, int value) noexcept {
  const bool v6 = envelope.destination.generic.sa_family == AF_INET6;
  std::memcpy(find(envelope, v6 ? ipv6_type : ipv4_type), &value, sizeof value);
}

int traffic_class(std::uint8_t dscp) noexcept {
  return dscp << 2;
}

/// What a datagram can come from, and what the kernel takes as a source.
bool is_host(const IpAddress& address) noexcept {
  return !address.is_multicast() && !address.is_unspecified() && !address.is_broadcast() &&
         !address.is_loopback();
}

void fill_in_source(Envelope& envelope, const IpAddress& source) noexcept {
  const auto bytes = source.bytes();
  auto* info = find(envelope, source.is_v6() ? IPV6_PKTINFO : IP_PKTINFO);
  const auto at =
      source.is_v6() ? offsetof(in6_pktinfo, ipi6_addr) : offsetof(in_pktinfo, ipi_spec_dst);
  std::memcpy(info + at, bytes.data(), bytes.size());
}

}  // namespace

Envelope make_envelope(const Output& output, unsigned interface_index,
                       const IpAddress& source) noexcept {
  Envelope envelope;
  envelope.destination = SocketAddress({output.destination, output.port}, interface_index);
  const bool says_ttl = output.ttl.mode != Ttl::Mode::system;
  const bool says_class = output.dscp != Dscp{};
  if (source.is_v4()) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface_index);
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), 4);
    append(envelope, IPPROTO_IP, IP_PKTINFO, info);
    if (says_ttl) append(envelope, IPPROTO_IP, IP_TTL, int{output.ttl.value});
    if (says_class) append(envelope, IPPROTO_IP, IP_TOS, traffic_class(output.dscp.value));
  } else {
    in6_pktinfo info{};
    info.ipi6_ifindex = interface_index;
    std::memcpy(&info.ipi6_addr, source.bytes().data(), 16);
    append(envelope, IPPROTO_IPV6, IPV6_PKTINFO, info);
    if (says_ttl) append(envelope, IPPROTO_IPV6, IPV6_HOPLIMIT, int{output.ttl.value});
    if (says_class) append(envelope, IPPROTO_IPV6, IPV6_TCLASS, traffic_class(output.dscp.value));
  }
  return envelope;
}

std::uint8_t parts_of_packet(const Output& output) noexcept {
  std::uint8_t parts = 0;
  if (output.ttl.mode == Ttl::Mode::preserve) parts |= varies::ttl;
  if (output.ttl.mode == Ttl::Mode::decrement) parts |= varies::decremented_ttl;
  if (output.dscp.preserve) parts |= varies::dscp;
  if (output.source.mode == Source::Mode::preserve) parts |= varies::source;
  return parts;
}

std::optional<OutputDrop> fill(Envelope& envelope, std::uint8_t varying,
                               const Packet& packet) noexcept {
  if ((varying & (varies::ttl | varies::decremented_ttl)) != 0) {
    const int ttl = packet.ttl - ((varying & varies::decremented_ttl) != 0 ? 1 : 0);
    if (ttl <= 0) return OutputDrop::ttl_expired;
    fill_in(envelope, IP_TTL, IPV6_HOPLIMIT, ttl);
  }
  if ((varying & varies::dscp) != 0)
    fill_in(envelope, IP_TOS, IPV6_TCLASS, traffic_class(packet.traffic_class >> 2U));
  if ((varying & varies::source) != 0) {
    if (!is_host(packet.source.address)) return OutputDrop::send_error;
    fill_in_source(envelope, packet.source.address);
  }
  return std::nullopt;
}

}  // namespace mcr
