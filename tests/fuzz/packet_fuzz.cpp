// The parser on arbitrary bytes: it must stay inside the frame, and what it accepts must add up.
#include <cstdlib>
#include <cstring>

#include "mcr/packet.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mcr::VnetHeader vnet;
  if (size < sizeof vnet + 1) return 0;
  std::memcpy(&vnet, data, sizeof vnet);
  const std::size_t link_header = (data[sizeof vnet] & 1U) != 0 ? 14 : 0;
  const std::span<const std::byte> frame(reinterpret_cast<const std::byte*>(data) + sizeof vnet + 1,
                                         size - sizeof vnet - 1);
  mcr::Packet packet;
  const auto claimed = mcr::claimed_datagrams(frame.size(), vnet);
  require(claimed >= 1 && claimed <= 128);
  if (mcr::parse(frame, vnet, link_header, packet)) return 0;
  const std::size_t headers = packet.destination.address.is_v6() ? 48 : 28;
  require(packet.source.address.family() == packet.destination.address.family());
  require(packet.payload.data() >= frame.data() + link_header + headers);
  require(packet.payload.data() + packet.payload.size() <= frame.data() + frame.size());
  require(packet.datagrams >= 1 && packet.datagrams <= 128);
  require(packet.payload.size() <= std::size_t{packet.segment} * packet.datagrams);
  require(packet.datagrams == 1 ||
          packet.payload.size() > std::size_t{packet.segment} * (packet.datagrams - 1));
  static_cast<void>(mcr::checksum_holds(packet));
  return 0;
}
