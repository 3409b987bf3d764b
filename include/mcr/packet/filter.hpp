// The kernel filter: a classic BPF program (bpf(4), linux/filter.h) for an AF_PACKET SOCK_RAW
// socket. It drops traffic that no rule wants before the kernel queues it, which costs next to
// nothing.
//
// A frame for one of the destinations always passes (no false negative). Another frame passes only
// if the program had to be shortened, or if its port is not at the usual place (fragments, IP
// options, extension headers, a frame that is cut off): such frames pass by address alone. The
// worker finds no rule for this surplus, and counts it `unmatched`.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/socket_kind.hpp"

namespace mcr {

/// A destination that passes. Port 0 stands for any port.
using FilterDestination = Endpoint;

/// Bytes before the IP header, as a SOCK_RAW socket delivers frames.
namespace link_header {
inline constexpr std::size_t ethernet = 14;
inline constexpr std::size_t none = 0;  ///< tun, WireGuard
}  // namespace link_header

/// Compiles a program for the socket of `key`. Destinations of the other IP family are left out;
/// they may come in any order and more than once. Without any, nothing passes. Frames of another
/// kind never pass.
///
/// A frame that has a bit of `relayed` in its mark (socket(7), SO_MARK) does not pass either: the
/// kernel's way has relayed it. Only untagged frames that arrive are asked for it.
///
/// The program has at most `max_instructions` (but always the few that check the kind), and never
/// more than the kernel's 4096. To fit, it gives up its port checks first, then the narrowest gaps
/// between addresses, and of IPv6 addresses also their last words. A limit too small for even one
/// range of addresses (14, IPv6 19; 23 and 28 for a VLAN) gives a program that passes everything of
/// its kind. A socket accepts as many instructions as net.core.optmem_max has room for: at 20480
/// bytes 1264, or 624 if they replace as many. O(n log n); throws nothing but std::bad_alloc.
[[nodiscard]] std::vector<sock_filter> compile_filter(
    std::span<const FilterDestination> destinations, const RxKey& key,
    std::size_t link_header_bytes, std::size_t max_instructions, std::uint32_t relayed = 0);

/// A program that passes nothing, for the time between socket(2) and the real filter.
[[nodiscard]] std::vector<sock_filter> drop_all_filter();

}  // namespace mcr
