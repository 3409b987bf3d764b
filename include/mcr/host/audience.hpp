// Listeners of this host: on an interface, other than UDP sockets; and the ports of UDP sockets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <istream>
#include <set>
#include <string>

namespace mcr {

/// Inodes of sockets, as /proc/net names them.
using SocketInodes = std::set<ino_t>;

/// True if somebody but UDP sockets, and but the sockets of `own`, may hear multicasts that arrive
/// on this interface: packet sockets behind traffic control, raw sockets, a bridge or another link
/// above it, multicast routing, nftables at an ingress. Also if that cannot be told.
[[nodiscard]] bool has_audience(const std::string& interface, unsigned index,
                                const SocketInodes& own);

/// The ports on which a UDP socket of this network namespace may hear a multicast.
[[nodiscard]] std::set<std::uint16_t> udp_ports_heard();

// Their parts, from the text of files in /proc/net.

/// packet: a socket of another protocol than ETH_P_ALL on this interface or on all.
[[nodiscard]] bool has_packet_socket(std::istream& text, unsigned index, const SocketInodes& own);
/// raw, raw6: a socket for UDP.
[[nodiscard]] bool has_raw_udp_socket(std::istream& text, const SocketInodes& own);
/// udp, udp6: of the sockets that are bound to a multicast address or to none.
[[nodiscard]] std::set<std::uint16_t> udp_ports_heard(std::istream& text);

}  // namespace mcr
