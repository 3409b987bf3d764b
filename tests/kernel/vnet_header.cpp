// Fact: with PACKET_VNET_HDR a datagram sent with UDP_SEGMENT over veth arrives whole, and the
// header tells its segment size: gso_type 5 (UDP_L4), gso_size. Before Linux 6.2 the receive fails
// with EINVAL, once for each such frame, which is then gone; frames behind it are received.
#include <netinet/udp.h>

#include <array>

#include "packet.hpp"

namespace {

// struct virtio_net_hdr: its header, <linux/virtio_net.h>, is not always C++.
struct VnetHeader {
  std::uint8_t flags, gso_type;
  std::uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
static_assert(sizeof(VnetHeader) == 10);
constexpr unsigned needs_checksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
constexpr unsigned gso_udp_l4 = 5;      // VIRTIO_NET_HDR_GSO_UDP_L4

/// The datagram before this one was refused: the socket goes on with this one.
void expect_next(int tap) {
  const int socket = world::sender("239.1.1.1", 5001);
  world::need(static_cast<int>(::send(socket, "next", 4, 0)), "send");
  std::array<char, 65536> frame{};
  const auto received = ::recv(tap, frame.data(), frame.size(), 0);
  world::expect(received == sizeof(VnetHeader) + world::headers + 4,
                fmt::format("before Linux 6.2: EINVAL, then the next frame ({} bytes)", received));
}

}  // namespace

int main() {
  constexpr std::size_t segment = 1000, total = 10'500;
  world::enter();
  const int away = world::peer();
  const int tap = world::packets(away);
  world::need(world::set(tap, SOL_PACKET, PACKET_VNET_HDR, 1), "PACKET_VNET_HDR");
  const int socket = world::sender("239.1.1.1", 5000);
  world::need(world::set(socket, SOL_UDP, UDP_SEGMENT, static_cast<int>(segment)), "UDP_SEGMENT");
  const std::array<char, total> payload{};
  world::need(static_cast<int>(::send(socket, payload.data(), total, 0)), "send");

  std::array<char, 65536> frame{};
  const auto received = ::recv(tap, frame.data(), frame.size(), 0);
  if (received < 0 && errno == EINVAL) {
    expect_next(tap);
    return 0;
  }
  VnetHeader header{};
  std::memcpy(&header, frame.data(), sizeof header);
  world::expect(received == sizeof header + world::headers + total,
                fmt::format("one frame of {} bytes", received));
  world::expect(header.gso_type == gso_udp_l4, fmt::format("gso_type {}", header.gso_type));
  world::expect(header.gso_size == segment, fmt::format("gso_size {}", header.gso_size));
  world::expect((header.flags & needs_checksum) != 0, "the checksum is still to do");
}
