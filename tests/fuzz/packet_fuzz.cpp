// The parser on arbitrary bytes: it must stay inside the frame, and what it accepts must add up.
//
//   bytes  0-9   vnet header
//         10     bit 0: behind an Ethernet header; bit 1: the IPv4 header checksum as it stands,
//                else it is put right (no mutation would find it)
//         11-    frame
#include <algorithm>
#include <cstring>
#include <vector>

#include "mcr/packet/parse.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

constexpr unsigned on_ethernet = 1;
constexpr unsigned leave_checksum = 2;

/// RFC 1071, of whatever stands where an IPv4 header would.
void put_ipv4_checksum_right(std::span<std::byte> ip) {
  if (ip.size() < 20 || std::to_integer<unsigned>(ip[0]) >> 4U != 4) return;
  const std::size_t words = std::to_integer<std::size_t>(ip[0] & std::byte{0x0F});
  ip[10] = ip[11] = {};
  unsigned sum = 0;
  for (std::size_t at = 0; at < std::min(words * 4, ip.size()); ++at)
    sum += std::to_integer<unsigned>(ip[at]) << (at % 2 == 0 ? 8U : 0U);
  while (sum > 0xFFFFU)
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  ip[10] = static_cast<std::byte>(~sum >> 8U);
  ip[11] = static_cast<std::byte>(~sum);
}

void check_accepted(std::span<const std::byte> frame, std::size_t link_header,
                    const mcr::Packet& packet) {
  const std::size_t headers = packet.destination.address.is_v6() ? 48 : 28;
  require(packet.source.address.family() == packet.destination.address.family());
  require(packet.payload.data() >= frame.data() + link_header + headers);
  require(packet.payload.data() + packet.payload.size() <= frame.data() + frame.size());
  require(packet.datagrams >= 1 && packet.datagrams <= 128);
  require(packet.payload.size() <= std::size_t{packet.segment} * packet.datagrams);
  require(packet.datagrams == 1 ||
          packet.payload.size() > std::size_t{packet.segment} * (packet.datagrams - 1));
  static_cast<void>(mcr::udp_checksum_holds(packet));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mcr::VnetHeader vnet;
  if (size < sizeof vnet + 1) return 0;
  std::memcpy(&vnet, data, sizeof vnet);
  const unsigned how = data[sizeof vnet];
  const std::size_t link_header = (how & on_ethernet) != 0 ? 14 : 0;
  const auto given = std::as_bytes(std::span(data, size)).subspan(sizeof vnet + 1);
  std::vector<std::byte> frame(given.begin(), given.end());
  if ((how & leave_checksum) == 0 && frame.size() >= link_header)
    put_ipv4_checksum_right(std::span(frame).subspan(link_header));
  mcr::Packet packet;
  const auto claimed = mcr::claimed_datagrams(frame.size(), vnet);
  require(claimed >= 1 && claimed <= 128);
  if (!mcr::parse_frame(frame, vnet, link_header, packet))
    check_accepted(frame, link_header, packet);
  return 0;
}
