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

/// A packet socket on `interface` of this network; waits at most 300 ms for a frame.
inline int packets_on(const char* interface, std::uint16_t protocol) {
  const int fd = need(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(protocol);
  at.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
  need(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind a packet socket");
  set(fd, SOL_SOCKET, SO_RCVTIMEO, timeval{0, 300'000});
  return fd;
}

/// Receives frames of a protocol on `far` of the network `away`.
inline int packets(int away, std::uint16_t protocol = ETH_P_IP) {
  const int home = here();
  go(away);
  const int fd = packets_on("far", protocol);
  go(home);
  ::close(home);
  return fd;
}

/// Lets pass only frames of which the program returns other than 0.
template <std::size_t Size>
void filter(int socket, const sock_filter (&program)[Size]) {
  const sock_fprog description{Size, const_cast<sock_filter*>(program)};
  need(set(socket, SOL_SOCKET, SO_ATTACH_FILTER, description), "attach a filter");
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
