// From the workers' rings to the blocks of a capture file.
#include "mcr/control/capture_reader.hpp"

#include <cstring>

#include "catch.hpp"
#include "mcr/packet/datagram_headers.hpp"
#include "mcr/packet/parse.hpp"
#include "rule_builder.hpp"

namespace {

using namespace mcr;

constexpr std::uint32_t interface_block = 1;
constexpr std::uint32_t statistics_block = 5;

struct Block {
  std::uint32_t type;
  std::string bytes;

  [[nodiscard]] std::uint32_t u32(std::size_t at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }
  [[nodiscard]] std::span<const std::byte> packet() const {
    return {reinterpret_cast<const std::byte*>(bytes.data()) + 28, u32(20)};
  }
};

std::vector<Block> blocks_of(std::string_view text) {
  std::vector<Block> blocks;
  while (!text.empty()) {
    const auto [type, bytes] = pcapng::first_block(text);
    REQUIRE(bytes != 0);
    blocks.push_back({type, std::string(text.substr(0, bytes))});
    text.remove_prefix(bytes);
  }
  return blocks;
}

/// A superframe of two datagrams of 100 bytes, as it comes by Ethernet.
struct Superframe {
  Superframe() : data(14) {
    data[12] = std::byte{0x08};
    const std::vector<std::byte> payload(200, std::byte{0x5A});
    const auto headers = make_datagram_headers(
        {{*IpAddress::parse("10.0.0.1"), 4000}, {*IpAddress::parse("239.1.1.1"), 5000}, 7, 0},
        payload, payload.size());
    data.insert(data.end(), headers.begin(), headers.end());
    data.insert(data.end(), payload.begin(), payload.end());
    frame.bytes = data;
    REQUIRE_FALSE(parse_frame(data, {}, 14, packet));
    packet.segment = 100;
    packet.datagrams = 2;
  }
  std::vector<std::byte> data;
  Frame frame;
  Packet packet;
};

}  // namespace

TEST_CASE("a capture's file begins once, and names an interface before its first packet") {
  const RuleTable none;
  CaptureReader reader(std::make_shared<const Capture>(
      CaptureWish{.rule = 1, .outputs = {2}, .in = true, .out = true}, 2));
  auto blocks = blocks_of(reader.take(none));
  CHECK(blocks.size() == 1);
  CHECK(reader.take(none).empty());

  const Superframe two;
  reader.capture()->received(1, 1, two.frame, two.packet);
  reader.capture()->copied(0, {.output = 2, .destination = two.packet.destination},
                           two.packet.payload, 200, {});
  blocks = blocks_of(reader.take(none));
  REQUIRE(blocks.size() == 4);  // the same interface of the same kind: gone
  CHECK(blocks[0].type == interface_block);
  for (std::size_t i = 1; i < 4; ++i)
    CHECK(blocks[i].type == pcapng::packet_block);
  CHECK(reader.datagrams() == 3);
}

TEST_CASE("a datagram of a superframe has headers of its own") {
  CaptureReader reader(std::make_shared<const Capture>(CaptureWish{.rule = 1, .in = true}, 1));
  const Superframe two;
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  const auto [allocators, table] = compiled(rules, two_interfaces());
  auto frame = two.frame;
  frame.slot = table.rx().front().slot;
  reader.capture()->received(0, 1, frame, two.packet);
  const auto blocks = blocks_of(reader.take(table));
  REQUIRE(blocks.size() == 4);
  CHECK(blocks[1].bytes.find("in") != std::string::npos);
  for (const auto* block : {&blocks[2], &blocks[3]}) {
    Packet packet;
    REQUIRE_FALSE(parse_frame(block->packet(), {}, 14, packet));
    CHECK(packet.payload.size() == 100);
    CHECK(udp_checksum_holds(packet));
    CHECK(block->u32(24) == 142);
  }
}

TEST_CASE("a drop has its reason as a comment, and what was missed is told") {
  const RuleTable none;
  CaptureReader reader(
      std::make_shared<const Capture>(CaptureWish{.rule = 1, .outputs = {2}, .drops = true}, 1));
  const Superframe two;
  reader.capture()->dropped(0, 1, two.frame, two.packet, InputDrop::source_denied);
  reader.capture()->copied(0, {.output = 2, .destination = two.packet.destination},
                           two.packet.payload, 200, OutputDrop::rate_limited);
  auto blocks = blocks_of(reader.take(none));
  REQUIRE(blocks.size() == 5);
  CHECK(blocks[2].bytes.find("source_denied") != std::string::npos);
  CHECK(blocks[4].bytes.find("rate_limited at output") != std::string::npos);

  while (reader.capture()->missed() == 0)
    reader.capture()->dropped(0, 1, two.frame, two.packet, InputDrop::source_denied);
  std::size_t told = 0;
  for (std::string text = reader.take(none); !text.empty(); text = reader.take(none)) {
    CHECK(text.size() < 2 * CaptureReader::most_bytes);
    for (const auto& block : blocks_of(text))
      told += block.type == statistics_block;
  }
  CHECK(told == 1);
}

TEST_CASE("what came before goes first, oldest first, and from when it was asked for") {
  Rule rule;
  rule.name = "a";
  rule.capture_before = 4U << 20U;
  Pasts pasts;
  pasts.set_workers(2);
  const auto past = pasts.get(rule);
  CapturedDatagram about{.slot = 1};
  const std::vector<std::byte> payload(1000, std::byte{0x5A});
  about.payload = about.original = 1000;
  constexpr std::uint64_t count = 3000;  // more than one call takes
  for (about.time_ns = 1; about.time_ns <= count; ++about.time_ns)
    past->ring(about.time_ns % 3 == 0 ? 1 : 0).put(about, {}, payload);

  const RuleTable none;
  CaptureReader reader(
      std::make_shared<const Capture>(CaptureWish{.rule = 1, .in = true, .since_ns = 501}, 2),
      past);
  const Superframe two;
  reader.capture()->received(0, 1, two.frame, two.packet);
  REQUIRE(reader.awaits_past());
  CHECK(reader.capture()->reads_past(1));
  reader.open_past();
  CHECK_FALSE(reader.awaits_past());

  std::vector<std::uint64_t> times;
  for (auto text = reader.take(none); !text.empty(); text = reader.take(none)) {
    CHECK(text.size() < 2 * CaptureReader::most_bytes);
    for (const auto& block : blocks_of(text))
      if (block.type == pcapng::packet_block)
        times.push_back((std::uint64_t{block.u32(12)} << 32U) + block.u32(16));
    CHECK(reader.capture()->reads_past(1) == (times.size() < count - 500));
  }
  REQUIRE(times.size() == count - 500 + 2);
  for (std::size_t i = 0; i < count - 500; ++i)
    REQUIRE(times[i] == 501 + i);
  CHECK(times.back() > 1'600'000'000'000'000'000U);  // and then what came since
}
