// A packet socket at the far end of the link, as the relay's ingress has it.
#pragma once

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "world.hpp"

#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000
#endif

namespace world {

constexpr std::size_t headers = 14 + 20 + 8;  // Ethernet, IPv4, UDP

/// Receives IPv4 frames on `far` of the network `away`; waits at most 300 ms for one.
inline int packets(int away) {
  const int home = here();
  go(away);
  const int fd = need(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_IP);
  at.sll_ifindex = static_cast<int>(::if_nametoindex("far"));
  need(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind a packet socket");
  set(fd, SOL_SOCKET, SO_RCVTIMEO, timeval{0, 300'000});
  go(home);
  ::close(home);
  return fd;
}

/// The UDP destination port of a frame; 0 if it is something else.
inline unsigned port_of(const unsigned char* frame, std::size_t size) {
  if (size < headers || frame[12] != 8 || frame[13] != 0 || frame[23] != IPPROTO_UDP) return 0;
  return frame[36] * 256U + frame[37];
}

/// How many frames to `port` wait in the socket.
inline unsigned count(int socket, unsigned port) {
  unsigned seen = 0;
  unsigned char frame[2048];
  ssize_t size = 0;
  while ((size = ::recv(socket, frame, sizeof frame, MSG_DONTWAIT)) > 0)
    if (port_of(frame, static_cast<std::size_t>(size)) == port) ++seen;
  return seen;
}

}  // namespace world
