#include "mcr/envelope.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

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

/// Integers stand first, at fixed places, so that they can be filled in.
void append_integers(Envelope& envelope, const Output& output, int level, int ttl_type) noexcept {
  if (output.ttl.mode != Ttl::Mode::system)
    append(envelope, level, ttl_type, int{output.ttl.value});
}

void put_integer(Envelope& envelope, std::size_t which, int value) noexcept {
  auto* header =
      reinterpret_cast<cmsghdr*>(envelope.control.data() + which * CMSG_SPACE(sizeof value));
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
}

}  // namespace

Envelope make_envelope(const Output& output, unsigned interface_index,
                       const IpAddress& source) noexcept {
  Envelope envelope;
  envelope.destination = SocketAddress({output.destination, output.port}, interface_index);
  if (source.is_v4()) {
    append_integers(envelope, output, IPPROTO_IP, IP_TTL);
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface_index);
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), 4);
    append(envelope, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    append_integers(envelope, output, IPPROTO_IPV6, IPV6_HOPLIMIT);
    in6_pktinfo info{};
    info.ipi6_ifindex = interface_index;
    std::memcpy(&info.ipi6_addr, source.bytes().data(), 16);
    append(envelope, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return envelope;
}

std::uint8_t parts_of_packet(const Output& output) noexcept {
  switch (output.ttl.mode) {
    case Ttl::Mode::preserve:
      return varies::ttl;
    case Ttl::Mode::decrement:
      return varies::decremented_ttl;
    case Ttl::Mode::system:
    case Ttl::Mode::fixed:
      break;
  }
  return 0;
}

std::optional<OutputDrop> fill(Envelope& envelope, std::uint8_t varying,
                               const Packet& packet) noexcept {
  if ((varying & (varies::ttl | varies::decremented_ttl)) != 0) {
    const int ttl = packet.ttl - ((varying & varies::decremented_ttl) != 0 ? 1 : 0);
    if (ttl <= 0) return OutputDrop::ttl_expired;
    put_integer(envelope, 0, ttl);
  }
  return std::nullopt;
}

}  // namespace mcr
