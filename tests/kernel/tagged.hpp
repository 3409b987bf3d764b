// Frames as a trunk carries them, sent raw from `near`.
#pragma once

#include <initializer_list>
#include <vector>

#include "packet.hpp"

namespace world {

struct Tag {
  std::uint16_t protocol;  ///< ETH_P_8021Q or ETH_P_8021AD
  std::uint16_t vlan;
};

/// Sends an IPv4 UDP datagram to 239.1.1.1:`port` behind these tags.
inline void send_tagged(std::initializer_list<Tag> tags, std::uint16_t port) {
  std::vector<unsigned char> frame{0x01, 0, 0x5E, 1, 1, 1, 2, 0, 0, 0, 0, 1};
  const auto put = [&](unsigned value) {
    frame.push_back(static_cast<unsigned char>(value >> 8U));
    frame.push_back(static_cast<unsigned char>(value));
  };
  for (const auto& tag : tags) {
    put(tag.protocol);
    put(tag.vlan);
  }
  // RFC 791, RFC 768: a datagram of 4 bytes, without checksums (no packet socket looks at them).
  for (const unsigned word : {0x0800U, 0x4500U, 32U, 1U, 0U, 0x1011U, 0U, 0x0A00U, 0x0001U, 0xEF01U,
                              0x0101U, 4000U, unsigned{port}, 12U, 0U, 0x6461U, 0x7461U})
    put(word);
  const int socket = packets_on("near", 0);
  need(static_cast<int>(::send(socket, frame.data(), frame.size(), 0)), "send a frame");
  ::close(socket);
}

/// Facts that a packet socket tells of a frame besides its bytes.
struct Seen {
  unsigned port = 0;  ///< 0: no frame
  unsigned packet_type = 0;
  bool tagged = false;
  unsigned vlan = 0;
};

/// The next frame of a socket that has PACKET_AUXDATA on.
inline Seen next(int socket) {
  unsigned char frame[2048];
  alignas(cmsghdr) char control[256];
  sockaddr_ll from{};
  iovec part{frame, sizeof frame};
  msghdr message{&from, sizeof from, &part, 1, control, sizeof control, 0};
  const auto size = ::recvmsg(socket, &message, 0);
  if (size < 0) return {};
  Seen seen{port_of(frame, static_cast<std::size_t>(size)), from.sll_pkttype, false, 0};
  for (auto* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_PACKET || each->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata auxdata;
    std::memcpy(&auxdata, CMSG_DATA(each), sizeof auxdata);
    seen.tagged = (auxdata.tp_status & TP_STATUS_VLAN_VALID) != 0;
    seen.vlan = auxdata.tp_vlan_tci & 0xFFFU;
  }
  return seen;
}

}  // namespace world
