#include "mcr/packet/pcapng.hpp"

#include <array>
#include <cstring>

#include "catch.hpp"

namespace {

using namespace mcr;

std::uint32_t u32(const std::string& block, std::size_t at) {
  std::uint32_t value = 0;
  REQUIRE(at + sizeof value <= block.size());
  std::memcpy(&value, block.data() + at, sizeof value);
  return value;
}

/// A block names its length at both ends, and has whole words only.
void check_frame(const std::string& block, std::uint32_t type) {
  CHECK(block.size() % 4 == 0);
  CHECK(u32(block, 0) == type);
  CHECK(u32(block, 4) == block.size());
  CHECK(u32(block, block.size() - 4) == block.size());
}

}  // namespace

TEST_CASE("pcapng: the head of a section") {
  const auto block = pcapng::section_header("mcr");
  check_frame(block, 0x0A0D0D0A);
  CHECK(u32(block, 8) == 0x1A2B3C4D);
  CHECK(u32(block, 12) == 1);
  CHECK(block.find("mcr") != std::string::npos);
}

TEST_CASE("pcapng: an interface counts its time in nanoseconds") {
  const auto block = pcapng::interface_description("eth0", pcapng::LinkType::ethernet, 128);
  check_frame(block, 1);
  CHECK(u32(block, 8) == 1);
  CHECK(u32(block, 12) == 128);
  CHECK(block.substr(16, 8) == std::string("\x02\0\x04\0eth0", 8));
  CHECK(block.substr(24, 8) == std::string("\x09\0\x01\0\x09\0\0\0", 8));
}

TEST_CASE("pcapng: a packet, with its comment") {
  const std::array bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
  const auto block = pcapng::enhanced_packet({.interface = 7,
                                              .time_ns = 0x1122334455667788U,
                                              .bytes = bytes,
                                              .original = 99,
                                              .direction = pcapng::Direction::outbound,
                                              .comment = "rate_limited"});
  check_frame(block, pcapng::packet_block);
  CHECK(u32(block, 8) == 7);
  CHECK(u32(block, 12) == 0x11223344U);
  CHECK(u32(block, 16) == 0x55667788U);
  CHECK(u32(block, 20) == 5);
  CHECK(u32(block, 24) == 99);
  CHECK(block.substr(28, 8) == std::string("\1\2\3\4\5\0\0\0", 8));
  CHECK(block.substr(36, 8) == std::string("\x02\0\x04\0\x02\0\0\0", 8));
  CHECK(block.substr(44, 16) == std::string("\x01\0\x0C\0rate_limited", 16));
}

TEST_CASE("pcapng: blocks are found again") {
  const auto one = pcapng::section_header("a");
  const auto two = pcapng::interface_statistics(0, 1, 2);
  const auto both = one + two;
  CHECK(pcapng::first_block(both).bytes == one.size());
  CHECK(pcapng::first_block(both.substr(one.size())).type == 5);
  CHECK(pcapng::first_block(both.substr(one.size())).bytes == two.size());
  CHECK(pcapng::first_block(one.substr(0, one.size() - 1)).bytes == 0);
  CHECK(pcapng::first_block("").bytes == 0);
  CHECK(pcapng::first_block(std::string(12, '\0')).bytes == 0);
}
