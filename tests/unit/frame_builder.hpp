// Builds Ethernet/IP/UDP frames by name, with correct lengths and checksums unless told otherwise.
// The destination's family decides between IPv4 and IPv6.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr::test {

/// An IPv6 extension header (RFC 8200, section 4): its first byte is filled in.
struct Extension {
  std::uint8_t protocol = 0;
  std::vector<std::uint8_t> bytes;

  static Extension hop_by_hop() { return {0, {0, 0, 1, 4, 0, 0, 0, 0}}; }
  static Extension destination_options() {
    return {60, {0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}};
  }
  static Extension routing(std::uint8_t segments_left) {
    return {43, {0, 0, 0, segments_left, 0, 0, 0, 0}};
  }
  /// `offset` in units of 8 bytes.
  static Extension fragment(unsigned offset, bool more) {
    const auto bits = offset << 3U | (more ? 1U : 0U);
    return {
        44,
        {0, 0, static_cast<std::uint8_t>(bits >> 8U), static_cast<std::uint8_t>(bits), 0, 0, 0, 7}};
  }
  /// With a check value of 12 bytes (RFC 4302): 24 in all, a length of 4.
  static Extension authentication() {
    Extension header{51, std::vector<std::uint8_t>(24, 0)};
    header.bytes[1] = 4;
    return header;
  }
};

struct FrameBuilder {
  Endpoint source{*IpAddress::parse("10.0.0.5"), 1234};
  Endpoint destination{*IpAddress::parse("239.1.1.1"), 5000};
  std::vector<std::uint8_t> payload{1, 2, 3, 4, 5};
  std::size_t link_header = 14;
  std::optional<std::uint16_t> ethertype;  ///< none: the family's
  std::optional<std::uint8_t> version;
  std::size_t option_bytes = 0;       ///< of IPv4
  std::vector<Extension> extensions;  ///< of IPv6
  std::uint16_t fragment = 0;
  std::uint8_t protocol = 17;
  std::uint8_t ttl = 64;
  std::uint8_t traffic_class = 0;
  std::size_t padding = 0;  ///< bytes behind the IP packet, as Ethernet adds
  int ip_length_error = 0;
  int udp_length_error = 0;
  int header_words_error = 0;
  bool with_checksum = true;
  bool break_checksum = false;
  bool break_header_checksum = false;  ///< of IPv4

  /// The same from and to IPv6 addresses.
  static FrameBuilder ipv6() {
    FrameBuilder frame;
    frame.source.address = *IpAddress::parse("2001:db8::5");
    frame.destination.address = *IpAddress::parse("ff15::1:2");
    return frame;
  }

  [[nodiscard]] std::vector<std::byte> build() const {
    const bool v6 = destination.address.is_v6();
    const auto udp = link_header + (v6 ? 40 + extension_bytes() : 20 + option_bytes);
    std::vector<std::uint8_t> frame(udp + 8 + payload.size() + padding, 0);
    if (link_header >= 2) put(frame, link_header - 2, ethertype.value_or(v6 ? 0x86DD : 0x0800));
    v6 ? put_ipv6(frame) : put_ipv4(frame);
    put(frame, udp, source.port);
    put(frame, udp + 2, destination.port);
    put(frame, udp + 4, 8 + payload.size() + static_cast<unsigned>(udp_length_error));
    copy(frame, udp + 8, payload);
    if (with_checksum) put(frame, udp + 6, checksum(frame, udp) ^ (break_checksum ? 0x40 : 0));
    std::vector<std::byte> bytes;
    for (const auto byte : frame)
      bytes.push_back(std::byte{byte});
    return bytes;
  }

 private:
  [[nodiscard]] std::size_t extension_bytes() const {
    return std::accumulate(
        extensions.begin(), extensions.end(), std::size_t{0},
        [](std::size_t sum, const Extension& header) { return sum + header.bytes.size(); });
  }

  void put_ipv4(std::vector<std::uint8_t>& frame) const {
    const auto ip = link_header;
    const auto words =
        static_cast<unsigned>(5 + option_bytes / 4) + static_cast<unsigned>(header_words_error);
    frame[ip] = static_cast<std::uint8_t>(unsigned{version.value_or(4)} << 4U | words);
    put(frame, ip + 2, 28 + option_bytes + payload.size() + static_cast<unsigned>(ip_length_error));
    put(frame, ip + 6, fragment);
    frame[ip + 1] = traffic_class;
    frame[ip + 8] = ttl;
    frame[ip + 9] = protocol;
    copy(frame, ip + 12, source.address.bytes());
    copy(frame, ip + 16, destination.address.bytes());
    const auto header = std::min<std::size_t>(words * 4, frame.size() - ip);
    put(frame, ip + 10,
        folded(sum(std::span(frame).subspan(ip, header))) ^
            (break_header_checksum ? 0xFFBF : 0xFFFF));
  }

  void put_ipv6(std::vector<std::uint8_t>& frame) const {
    const auto ip = link_header;
    put(frame, ip, unsigned{version.value_or(6)} << 12U | unsigned{traffic_class} << 4U);
    put(frame, ip + 4,
        extension_bytes() + 8 + payload.size() + static_cast<unsigned>(ip_length_error));
    frame[ip + 7] = ttl;
    copy(frame, ip + 8, source.address.bytes());
    copy(frame, ip + 24, destination.address.bytes());
    auto names_next = ip + 6;
    auto at = ip + 40;
    for (const auto& header : extensions) {
      copy(frame, at, header.bytes);
      frame[names_next] = header.protocol;
      names_next = at;
      at += header.bytes.size();
    }
    frame[names_next] = protocol;
  }

  static void put(std::vector<std::uint8_t>& frame, std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8U);
    frame[at + 1] = static_cast<std::uint8_t>(value);
  }
  static void copy(std::vector<std::uint8_t>& frame, std::size_t at,
                   std::span<const std::uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
  }
  /// RFC 1071, the slow and plain way: big-endian words, one by one.
  static std::size_t sum(std::span<const std::uint8_t> bytes) {
    std::size_t result = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      result += static_cast<std::size_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    return result;
  }
  static std::size_t folded(std::size_t sum) {
    while (sum > 0xFFFF)
      sum = (sum & 0xFFFF) + (sum >> 16U);
    return sum;
  }
  /// RFC 768.
  [[nodiscard]] std::size_t checksum(const std::vector<std::uint8_t>& frame,
                                     std::size_t udp) const {
    const auto value = folded(17 + 8 + payload.size() + sum(source.address.bytes()) +
                              sum(destination.address.bytes()) +
                              sum(std::span(frame).subspan(udp, 8 + payload.size()))) ^
                       0xFFFF;
    return value == 0 ? 0xFFFF : value;
  }
};

}  // namespace mcr::test
