// Blocks of a capture file, as Wireshark reads them: pcapng (draft-ietf-opsawg-pcapng), in this
// host's byte order, with times in nanoseconds since 1970. (libpcap writes the older format only,
// which has neither comments nor interfaces.) Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcr::pcapng {

/// The begin of an interface's packets: LINKTYPE_ of https://www.tcpdump.org.
enum class LinkType : std::uint16_t {
  ethernet = 1,
  raw = 101,  ///< an IPv4 or IPv6 header
};

enum class Direction : std::uint8_t { inbound = 1, outbound = 2 };

struct Packet {
  std::uint32_t interface = 0;  ///< counts from 0, in the order of the interface blocks
  std::uint64_t time_ns = 0;
  std::span<const std::byte> bytes{};
  std::uint32_t original = 0;  ///< bytes that it had; at least as many
  Direction direction = Direction::inbound;
  std::string_view comment{};  ///< "": none
};

/// The first block. `application`: who writes it.
[[nodiscard]] std::string section_header(std::string_view application);
/// `snap`: no packet has more bytes.
[[nodiscard]] std::string interface_description(std::string_view name, LinkType type,
                                                std::uint32_t snap);
[[nodiscard]] std::string enhanced_packet(const Packet& packet);
/// `missed`: packets that should be in the file and are not, since its begin.
[[nodiscard]] std::string interface_statistics(std::uint32_t interface, std::uint64_t time_ns,
                                               std::uint64_t missed);

/// The first block in these bytes: its type, and how many bytes it has. 0 bytes: not all of it is
/// there yet, or it is none.
struct Block {
  std::uint32_t type = 0;
  std::size_t bytes = 0;
};
inline constexpr std::uint32_t packet_block = 6;
[[nodiscard]] Block first_block(std::string_view bytes) noexcept;

}  // namespace mcr::pcapng
