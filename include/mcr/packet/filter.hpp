// The kernel filter: a classic BPF program (bpf(4), linux/filter.h) that keeps traffic without a
// rule in the kernel. For an AF_PACKET SOCK_RAW socket.
//
// What it promises: a frame for one of the destinations always passes (no false negative). Other
// frames pass only where the program had to be shortened, and where the port cannot be read at its
// usual place (fragments, IP options, extension headers, cut off): those pass by address. That
// surplus is counted `unmatched` by whoever looks the destination up.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/socket_kind.hpp"

namespace mcr {

/// A destination to pass; port 0 for any.
using FilterDestination = Endpoint;

/// Bytes before the IP header, as a SOCK_RAW socket sees them.
namespace link_header {
inline constexpr std::size_t ethernet = 14;
inline constexpr std::size_t none = 0;  ///< tun, WireGuard
}  // namespace link_header

/// Compiles for the socket of that key those destinations that are of its family; any order,
/// duplicates allowed. No destination: nothing passes.
///
/// The program has at most `max_instructions` (but always the few that check the kind), and never
/// more than the kernel's 4096. What does not fit loses first its port checks, then the narrowest
/// gaps between addresses, of IPv6 addresses also their last words; a limit too small for even one
/// range of addresses (14, IPv6 19; 23 and 28 for a VLAN) gives a program that passes everything of
/// its kind. Frames of another kind never pass. How many instructions a socket accepts depends on
/// net.core.optmem_max: at 20480 bytes 1264, 624 for a live replacement. O(n log n); throws nothing
/// but std::bad_alloc.
[[nodiscard]] std::vector<sock_filter> compile_filter(
    std::span<const FilterDestination> destinations, const RxKey& key,
    std::size_t link_header_bytes, std::size_t max_instructions);

/// Passes nothing: for the time between socket(2) and the real filter.
[[nodiscard]] std::vector<sock_filter> drop_all_filter();

}  // namespace mcr
