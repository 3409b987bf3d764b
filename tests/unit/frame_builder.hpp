// Builds Ethernet/IPv4/UDP frames by name, with correct lengths and checksums unless told
// otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "mcr/addr.hpp"

namespace mcr::test {

struct FrameBuilder {
  Endpoint source{*IpAddress::parse("10.0.0.5"), 1234};
  Endpoint destination{*IpAddress::parse("239.1.1.1"), 5000};
  std::vector<std::uint8_t> payload{1, 2, 3, 4, 5};
  std::size_t link_header = 14;
  std::uint16_t ethertype = 0x0800;
  std::uint8_t version = 4;
  std::size_t option_bytes = 0;
  std::uint16_t fragment = 0;
  std::uint8_t protocol = 17;
  std::size_t padding = 0;  ///< bytes behind the IP packet, as Ethernet adds
  int ip_length_error = 0;
  int udp_length_error = 0;
  int header_words_error = 0;
  bool with_checksum = true;
  bool break_checksum = false;

  [[nodiscard]] std::vector<std::byte> build() const {
    const auto ip = link_header;
    const auto udp = ip + 20 + option_bytes;
    std::vector<std::uint8_t> frame(udp + 8 + payload.size() + padding, 0);
    if (link_header >= 2) put(frame, link_header - 2, ethertype);
    const auto words =
        static_cast<unsigned>(5 + option_bytes / 4) + static_cast<unsigned>(header_words_error);
    frame[ip] = static_cast<std::uint8_t>(unsigned{version} << 4U | words);
    put(frame, ip + 2, 28 + option_bytes + payload.size() + static_cast<unsigned>(ip_length_error));
    put(frame, ip + 6, fragment);
    frame[ip + 8] = 64;
    frame[ip + 9] = protocol;
    copy(frame, ip + 12, source.address.bytes());
    copy(frame, ip + 16, destination.address.bytes());
    put(frame, udp, source.port);
    put(frame, udp + 2, destination.port);
    put(frame, udp + 4, 8 + payload.size() + static_cast<unsigned>(udp_length_error));
    copy(frame, udp + 8, payload);
    if (with_checksum) put(frame, udp + 6, checksum(frame, ip, udp) ^ (break_checksum ? 0x40 : 0));
    std::vector<std::byte> bytes;
    for (const auto byte : frame)
      bytes.push_back(std::byte{byte});
    return bytes;
  }

 private:
  static void put(std::vector<std::uint8_t>& frame, std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8U);
    frame[at + 1] = static_cast<std::uint8_t>(value);
  }
  static void copy(std::vector<std::uint8_t>& frame, std::size_t at,
                   std::span<const std::uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
  }
  /// RFC 768, the slow and plain way: big-endian words, one by one.
  [[nodiscard]] std::size_t checksum(const std::vector<std::uint8_t>& frame, std::size_t ip,
                                     std::size_t udp) const {
    std::size_t sum = 17 + 8 + payload.size();
    const auto add = [&](std::size_t from, std::size_t to) {
      for (auto at = from; at < to; ++at)
        sum += static_cast<std::size_t>(frame[at]) << ((at - from) % 2 == 0 ? 8U : 0U);
    };
    add(ip + 12, ip + 20);
    add(udp, udp + 8 + payload.size());
    while (sum > 0xFFFF)
      sum = (sum & 0xFFFF) + (sum >> 16U);
    sum ^= 0xFFFF;
    return sum == 0 ? 0xFFFF : sum;
  }
};

}  // namespace mcr::test
