// The maxima of a configuration, each with a name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mcr {

/// A configuration above one of these maxima is refused.
namespace limits {
inline constexpr std::size_t rules = 10'000;
inline constexpr std::size_t reflectors = 256;
inline constexpr std::size_t reflector_interfaces = 64;
inline constexpr std::size_t reflector_groups = 8;
inline constexpr std::size_t reflector_allow = 64 * 63;
inline constexpr std::size_t reflector_services = 64;
inline constexpr std::size_t inputs_per_rule = 64;
inline constexpr std::size_t outputs_per_rule = 64;
inline constexpr unsigned group_bits = 12;  ///< a block has at most 4,096 groups
/// Inputs of all rules, each counted once for every group and port.
inline constexpr std::size_t lookup_entries = 65'536;
/// Outputs of all rules, each counted once for every group and port that its rule maps.
inline constexpr std::size_t outputs = 65'536;
inline constexpr std::size_t hosts = 1024;           ///< different names that outputs send to
inline constexpr std::size_t host_name_bytes = 253;  ///< RFC 1035
inline constexpr std::size_t addresses_per_host = 64;
inline constexpr std::size_t sources_per_input = 4096;
/// Excluded sources that a join names: the kernel's own limit (igmp_max_msf) is 10 by default. More
/// are left out by the relay alone.
inline constexpr std::size_t excluded_by_join = 10;
/// Sources of all inputs, each counted once for every group and port.
inline constexpr std::size_t sources = 1'048'576;
/// Kinds of inputs: interface, family, VLAN, direction. Each kind has sockets of its own.
inline constexpr std::size_t input_kinds = 2048;
/// Kinds of outputs: interface, family, group or host, source port, loopback, preserved source.
inline constexpr std::size_t output_kinds = 1024;
inline constexpr std::size_t config_bytes = 16U << 20U;  ///< size of one file
inline constexpr std::size_t config_errors =
    10'000;  ///< mistakes reported one by one; of the rest only the number
inline constexpr std::size_t workers = 64;
inline constexpr std::uint32_t shards = 1024;
inline constexpr std::size_t folder_bytes = 1024;  ///< length of a folder's path
inline constexpr std::chrono::microseconds batch_wait{10'000};
inline constexpr std::chrono::microseconds gro_wait{10'000};
inline constexpr std::chrono::microseconds rejoin_min = std::chrono::seconds(1);
inline constexpr std::chrono::microseconds rejoin_max = std::chrono::hours(1);
inline constexpr std::chrono::microseconds resolve_every_min = std::chrono::seconds(1);
inline constexpr std::chrono::microseconds resolve_every_max = std::chrono::hours(1);
inline constexpr std::uint16_t vlan = 4094;      ///< IEEE 802.1Q
inline constexpr std::size_t cpu_number = 1023;  ///< CPU_SETSIZE - 1, sched_setaffinity(2)
/// ALTIFNAMSIZ - 1: a name has at most 15, an alternative one this many (ip-link(8)).
inline constexpr std::size_t interface_name_bytes = 127;
inline constexpr std::size_t name_bytes = 64;  ///< length of a rule's name
inline constexpr std::size_t comment_bytes = 256;
inline constexpr std::uint64_t buffer_min = 4096;  ///< bytes of a socket buffer
inline constexpr std::uint64_t buffer_max = 1ULL << 30U;
/// `capture_before` of all rules: bytes on each worker.
inline constexpr std::uint64_t captured_before = 1ULL << 30U;
inline constexpr std::chrono::microseconds silent_after_min = std::chrono::seconds(1);
inline constexpr std::chrono::microseconds silent_after_max = std::chrono::hours(24);
inline constexpr std::chrono::microseconds within_min = std::chrono::seconds(1);
inline constexpr std::chrono::microseconds within_max = std::chrono::hours(1);
inline constexpr std::uint64_t expected_cc_errors = 1'000'000'000;
inline constexpr std::size_t expected_pids = 64;
inline constexpr std::uint64_t pid = 8190;       ///< ISO/IEC 13818-1; 8191 is of null packets
inline constexpr std::size_t path_bytes = 4000;  ///< below PATH_MAX
inline constexpr std::uint64_t max_pps = 1'000'000'000;
inline constexpr std::uint64_t max_bps = 1'000'000'000'000;
/// Inputs of a rule with `merge` or `failover`.
inline constexpr std::size_t legs = 8;
/// Sets of sockets for such rules on an interface, each read by one worker alone.
inline constexpr std::size_t lanes = 4;
inline constexpr std::uint64_t priority = 255;
inline constexpr std::chrono::microseconds merge_window_min = std::chrono::milliseconds(1);
inline constexpr std::chrono::microseconds merge_window_max = std::chrono::seconds(2);
inline constexpr std::chrono::microseconds failover_after_min = std::chrono::milliseconds(100);
inline constexpr std::chrono::microseconds failover_after_max = std::chrono::seconds(60);
inline constexpr std::chrono::microseconds failover_hold_max = std::chrono::hours(24);
inline constexpr std::uint64_t inspect_offset = 65'507;  ///< the largest UDP payload, bytes
}  // namespace limits

}  // namespace mcr
