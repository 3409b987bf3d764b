#include "mcr/packet/send_header.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "mcr/config/output.hpp"

namespace mcr {

namespace {

static_assert(SendHeader::control_most >=
              CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)));

/// Appends a control message.
template <typename Value>
void append(SendHeader& header, int level, int type, const Value& value) noexcept {
  auto* message = reinterpret_cast<cmsghdr*>(header.control.data() + header.control_bytes);
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(message), &value, sizeof value);
  header.control_bytes = static_cast<std::uint8_t>(header.control_bytes + CMSG_SPACE(sizeof value));
}

/// The place of a control message's value. The header must have one of this type.
std::byte* find(SendHeader& header, int type) noexcept {
  auto* message = reinterpret_cast<cmsghdr*>(header.control.data());
  while (message->cmsg_type != type)
    message = reinterpret_cast<cmsghdr*>(reinterpret_cast<std::byte*>(message) +
                                         CMSG_ALIGN(message->cmsg_len));
  return reinterpret_cast<std::byte*>(CMSG_DATA(message));
}

void fill_in(SendHeader& header, int ipv4_type, int ipv6_type, int value) noexcept {
  const bool v6 = header.destination.generic.sa_family == AF_INET6;
  std::memcpy(find(header, v6 ? ipv6_type : ipv4_type), &value, sizeof value);
}

int traffic_class(std::uint8_t dscp) noexcept {
  return dscp << 2;
}

/// True for an address that the kernel accepts as the source of a datagram.
bool is_host(const IpAddress& address) noexcept {
  return !address.is_multicast() && !address.is_unspecified() && !address.is_broadcast() &&
         !address.is_loopback();
}

void fill_in_source(SendHeader& header, const IpAddress& source) noexcept {
  const auto bytes = source.bytes();
  auto* info = find(header, source.is_v6() ? IPV6_PKTINFO : IP_PKTINFO);
  const auto at =
      source.is_v6() ? offsetof(in6_pktinfo, ipi6_addr) : offsetof(in_pktinfo, ipi_spec_dst);
  std::memcpy(info + at, bytes.data(), bytes.size());
}

}  // namespace

SendHeader make_send_header(const Output& output, unsigned interface_index,
                            const IpAddress& source) noexcept {
  SendHeader header;
  header.destination = SocketAddress({output.destination, output.port}, interface_index);
  const bool says_ttl = output.ttl.mode != Ttl::Mode::system;
  const bool says_class = output.dscp != Dscp{};
  if (source.is_v4()) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface_index);
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), 4);
    append(header, IPPROTO_IP, IP_PKTINFO, info);
    if (says_ttl) append(header, IPPROTO_IP, IP_TTL, int{output.ttl.value});
    if (says_class) append(header, IPPROTO_IP, IP_TOS, traffic_class(output.dscp.value));
  } else {
    in6_pktinfo info{};
    info.ipi6_ifindex = interface_index;
    std::memcpy(&info.ipi6_addr, source.bytes().data(), 16);
    append(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    if (says_ttl) append(header, IPPROTO_IPV6, IPV6_HOPLIMIT, int{output.ttl.value});
    if (says_class) append(header, IPPROTO_IPV6, IPV6_TCLASS, traffic_class(output.dscp.value));
  }
  return header;
}

SendFields read_control(std::span<const std::byte> control) noexcept {
  SendFields fields;
  while (control.size() >= sizeof(cmsghdr)) {
    const auto* message = reinterpret_cast<const cmsghdr*>(control.data());
    const auto* value = reinterpret_cast<const std::uint8_t*>(CMSG_DATA(message));
    int number = 0;
    std::memcpy(&number, value, sizeof number);
    const bool v6 = message->cmsg_level == IPPROTO_IPV6;
    if (v6 ? message->cmsg_type == IPV6_HOPLIMIT : message->cmsg_type == IP_TTL)
      fields.ttl = static_cast<std::uint8_t>(number);
    else if (v6 ? message->cmsg_type == IPV6_TCLASS : message->cmsg_type == IP_TOS)
      fields.traffic_class = static_cast<std::uint8_t>(number);
    else if (v6)
      fields.source = IpAddress::v6(
          std::span<const std::uint8_t, 16>(value + offsetof(in6_pktinfo, ipi6_addr), 16));
    else
      fields.source = IpAddress::v4(
          std::span<const std::uint8_t, 4>(value + offsetof(in_pktinfo, ipi_spec_dst), 4));
    control = control.subspan(std::min(CMSG_ALIGN(message->cmsg_len), control.size()));
  }
  return fields;
}

std::uint8_t per_packet_fields_of(const Output& output) noexcept {
  std::uint8_t parts = 0;
  if (output.ttl.mode == Ttl::Mode::preserve) parts |= per_packet_fields::ttl;
  if (output.ttl.mode == Ttl::Mode::decrement) parts |= per_packet_fields::decremented_ttl;
  if (output.dscp.preserve) parts |= per_packet_fields::dscp;
  if (output.source.mode == Source::Mode::preserve) parts |= per_packet_fields::source;
  return parts;
}

std::optional<OutputDrop> fill_per_packet_fields(SendHeader& header, std::uint8_t fields,
                                                 const Packet& packet) noexcept {
  if ((fields & (per_packet_fields::ttl | per_packet_fields::decremented_ttl)) != 0) {
    const int ttl = packet.ttl - ((fields & per_packet_fields::decremented_ttl) != 0 ? 1 : 0);
    if (ttl <= 0) return OutputDrop::ttl_expired;
    fill_in(header, IP_TTL, IPV6_HOPLIMIT, ttl);
  }
  if ((fields & per_packet_fields::dscp) != 0)
    fill_in(header, IP_TOS, IPV6_TCLASS, traffic_class(packet.traffic_class >> 2U));
  if ((fields & per_packet_fields::source) != 0) {
    if (!is_host(packet.source.address)) return OutputDrop::send_error;
    fill_in_source(header, packet.source.address);
  }
  return std::nullopt;
}

}  // namespace mcr
