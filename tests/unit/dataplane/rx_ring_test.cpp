// A receive ring, filled by hand as the kernel would (packet(7)): packed blocks (TPACKET_V3), then
// slots (TPACKET_V2).
#include "mcr/dataplane/rx_ring.hpp"

#include <linux/if_packet.h>

#include <cstring>
#include <vector>

#include "forged.hpp"

using namespace mcr;
using namespace mcr::test;

namespace {

constexpr std::uint32_t blocks = 8;
constexpr std::size_t frame_at = 64;
constexpr std::size_t mac_at = 96;

struct ForgedRing {
  Queue& queue;
  Buffers buffers{queue.ring};
  Mapping<std::byte> memory{std::size_t{blocks} * Blocks::bytes};
  BlockReader reader{Blocks{memory.data(), blocks, RingLayout::packed}};

  [[nodiscard]] tpacket_hdr_v1& header(std::uint32_t block) const {
    return reinterpret_cast<tpacket_block_desc*>(memory.data() + block * std::size_t{Blocks::bytes})
        ->hdr.bh1;
  }
  [[nodiscard]] bool with_kernel(std::uint32_t block) const {
    return header(block).block_status == TP_STATUS_KERNEL;
  }
  /// One frame of four bytes, all of them `content`.
  void fill(std::uint32_t block, char content) const {
    auto* at = memory.data() + block * std::size_t{Blocks::bytes};
    auto& frame = *reinterpret_cast<tpacket3_hdr*>(at + frame_at);
    frame.tp_mac = mac_at;
    frame.tp_snaplen = frame.tp_len = 4;
    std::memset(at + frame_at + mac_at, content, 4);
    header(block).num_pkts = 1;
    header(block).offset_to_first_pkt = frame_at;
    header(block).blk_len = frame_at + mac_at + 4;
    header(block).block_status = TP_STATUS_USER;
  }
  /// The frame of the next block, and its end.
  BlockFrame read() {
    const auto frame = reader.next(buffers);
    REQUIRE(frame);
    CHECK_FALSE(reader.next(buffers));
    return *frame;
  }
};

char content_of(const ForgedRing& ring, const BlockFrame& frame) {
  void* data = const_cast<std::byte*>(frame.bytes.data());
  ring.buffers.follow(frame.buffer, data);
  ring.buffers.follow(frame.buffer, data);  // twice: no farther
  return *static_cast<const char*>(data);
}

}  // namespace

TEST_CASE("a block goes back to the kernel with its last reference") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedRing ring{*queue};
  ring.fill(0, 'a');
  const auto frame = ring.read();
  ring.reader.leave_old(ring.buffers);  // one is not many
  CHECK(ring.reader.in_use());
  CHECK_FALSE(ring.with_kernel(0));
  CHECK(content_of(ring, frame) == 'a');
  ring.buffers.release(frame.buffer);
  CHECK(ring.with_kernel(0));
  CHECK_FALSE(ring.reader.in_use());
}

TEST_CASE("old blocks that are held go back early, and their frames stay whole") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedRing ring{*queue};
  std::vector<BlockFrame> held;
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t block = 0; block < 6; ++block) {
      const auto at = (round * 6 + block) % blocks;
      REQUIRE(ring.with_kernel(at));  // the kernel never has to stop
      ring.fill(at, static_cast<char>('a' + held.size()));
      held.push_back(ring.read());
    }
    ring.reader.leave_old(ring.buffers);
    std::uint32_t away = 0;
    for (std::uint32_t block = 0; block < blocks; ++block)
      away += ring.with_kernel(block) ? 0U : 1U;
    CHECK(away == blocks / 4);
    CHECK_FALSE(ring.with_kernel((round * 6 + 5) % blocks));  // the newest is not copied
  }
  for (std::size_t i = 0; i < held.size(); ++i)
    CHECK(content_of(ring, held[i]) == static_cast<char>('a' + i));
  for (const auto& frame : held)
    ring.buffers.release(frame.buffer);
  CHECK_FALSE(ring.reader.in_use());
  for (std::uint32_t block = 0; block < blocks; ++block)
    CHECK(ring.with_kernel(block));
}

TEST_CASE("without room for copies blocks stay, until a copy is given back") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedRing ring{*queue};
  std::vector<BlockFrame> held;
  std::uint32_t at = 0;
  while (ring.buffers.has_copies()) {
    ring.fill(at, 'x');
    held.push_back(ring.read());
    at = (at + 1) % blocks;
    ring.reader.leave_old(ring.buffers);
  }
  ring.fill(at, 'y');
  const auto last = ring.read();
  ring.reader.leave_old(ring.buffers);
  CHECK_FALSE(ring.with_kernel(at));
  for (const auto& frame : held)
    ring.buffers.release(frame.buffer);
  CHECK(ring.buffers.has_copies());
  CHECK(content_of(ring, last) == 'y');
  ring.buffers.release(last.buffer);
  CHECK_FALSE(ring.reader.in_use());
}

namespace {

constexpr std::size_t slot_mac_at = 80;

struct ForgedSlots {
  Queue& queue;
  Buffers buffers{queue.ring};
  Mapping<std::byte> memory{std::size_t{blocks} * Blocks::bytes};
  BlockReader reader{Blocks{memory.data(), blocks, RingLayout::slots}};
  std::uint32_t head = 0;  ///< the slot that the kernel fills next

  [[nodiscard]] tpacket2_hdr& header(std::uint32_t slot) const {
    return *reinterpret_cast<tpacket2_hdr*>(memory.data() + slot * std::size_t{Blocks::slot_bytes});
  }
  [[nodiscard]] bool with_kernel(std::uint32_t slot) const {
    return header(slot).tp_status == TP_STATUS_KERNEL;
  }
  /// A frame of so many bytes, all that fit `content`; false: the slot is not back.
  bool fill(char content, std::uint32_t bytes = 4) {
    auto& place = header(head);
    if (place.tp_status != TP_STATUS_KERNEL) return false;
    constexpr std::uint32_t room = Blocks::slot_bytes - slot_mac_at;
    place.tp_mac = slot_mac_at;
    place.tp_len = bytes;
    place.tp_snaplen = std::min(bytes, room);
    std::memset(reinterpret_cast<std::byte*>(&place) + slot_mac_at, content, place.tp_snaplen);
    place.tp_status = TP_STATUS_USER | (bytes > room ? TP_STATUS_COPY : 0U);
    head = (head + 1) % (blocks * Blocks::slots);
    return true;
  }
};

}  // namespace

TEST_CASE("a frame in a slot is there as soon as it has come") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedSlots ring{*queue};
  CHECK_FALSE(ring.reader.ready());
  CHECK_FALSE(ring.reader.next(ring.buffers));
  for (const char content : {'a', 'b', 'c'}) {
    REQUIRE(ring.fill(content));
    CHECK(ring.reader.ready());
    CHECK(ring.reader.has(1));
    CHECK_FALSE(ring.reader.has(2));
    const auto frame = ring.reader.next(ring.buffers);
    REQUIRE(frame);
    CHECK(frame->whole);
    CHECK(frame->bytes.size() == 4);
    CHECK(static_cast<char>(frame->bytes.front()) == content);
    ring.buffers.release(frame->buffer);
    CHECK_FALSE(ring.reader.ready());
  }
}

TEST_CASE("slots go back together, when the last of a block has been read and released") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedSlots ring{*queue};
  for (std::uint32_t n = 0; n < Blocks::slots; ++n)
    REQUIRE(ring.fill('x'));
  CHECK(ring.reader.has(Blocks::slots));
  std::optional<BlockFrame> held;
  for (std::uint32_t n = 0; n < Blocks::slots; ++n) {
    CHECK_FALSE(ring.with_kernel(0));
    const auto frame = ring.reader.next(ring.buffers);
    REQUIRE(frame);
    if (n == 5)
      held = frame;
    else
      ring.buffers.release(frame->buffer);
  }
  CHECK(ring.reader.in_use());
  CHECK_FALSE(ring.with_kernel(0));
  ring.buffers.release(held->buffer);
  CHECK_FALSE(ring.reader.in_use());
  for (std::uint32_t n = 0; n < Blocks::slots; ++n)
    CHECK(ring.with_kernel(n));
}

TEST_CASE("a ring that went round shows nothing twice, and nothing that is not back") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedSlots ring{*queue};
  std::vector<BlockFrame> held;
  while (ring.fill(static_cast<char>('a' + held.size() % 26)))
    held.push_back(ring.reader.next(ring.buffers).value());
  CHECK(held.size() == std::size_t{blocks} * Blocks::slots);  // each once
  CHECK_FALSE(ring.reader.ready());
  CHECK_FALSE(ring.reader.next(ring.buffers));
  ring.reader.leave_old(ring.buffers);  // as long as the quarter read last is not needed
  std::size_t more = 0;
  while (ring.fill('z')) {
    ++more;
    held.push_back(ring.reader.next(ring.buffers).value());
  }
  CHECK(more == std::size_t{blocks - blocks / 4} * Blocks::slots);
  for (std::size_t i = 0; i < held.size(); ++i) {
    void* data = const_cast<std::byte*>(held[i].bytes.data());
    ring.buffers.follow(held[i].buffer, data);
    const auto expected = i < held.size() - more ? static_cast<char>('a' + i % 26) : 'z';
    REQUIRE(*static_cast<const char*>(data) == expected);
  }
  for (const auto& frame : held)
    ring.buffers.release(frame.buffer);
  CHECK_FALSE(ring.reader.in_use());
}

TEST_CASE("a frame that is longer than its slot is not whole, and is queued") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedSlots ring{*queue};
  REQUIRE(ring.fill('a', 1500));
  REQUIRE(ring.fill('b', 9000));
  CHECK_FALSE(ring.reader.queued());
  ring.buffers.release(ring.reader.next(ring.buffers).value().buffer);
  CHECK(ring.reader.queued());
  const auto frame = ring.reader.next(ring.buffers);
  REQUIRE(frame);
  CHECK_FALSE(frame->whole);
  ring.buffers.release(frame->buffer);
}

TEST_CASE("a reader that rests holds nothing, and goes on where it was") {
  const auto queue = queue_or_skip(8);
  if (!queue) return;
  ForgedSlots ring{*queue};
  const auto read = [&] {
    const auto frame = ring.reader.next(ring.buffers);
    REQUIRE(frame);
    const auto content = static_cast<char>(frame->bytes.front());
    ring.buffers.release(frame->buffer);
    return content;
  };
  for (const char content : {'a', 'b', 'c'})
    REQUIRE(ring.fill(content));
  CHECK(read() == 'a');
  const auto held = ring.reader.next(ring.buffers).value();
  ring.reader.rest(ring.buffers);
  CHECK(ring.reader.in_use());  // by what is held
  ring.buffers.release(held.buffer);
  CHECK_FALSE(ring.reader.in_use());
  CHECK(ring.with_kernel(0));
  CHECK(ring.with_kernel(1));
  CHECK_FALSE(ring.with_kernel(2));  // nobody has read it
  CHECK(read() == 'c');
  // Once round, with rests on the way: all come, none twice.
  for (std::uint32_t n = 0; n < 3 * blocks * Blocks::slots; ++n) {
    REQUIRE(ring.fill(static_cast<char>('a' + n % 26)));
    CHECK(read() == static_cast<char>('a' + n % 26));
    CHECK_FALSE(ring.reader.ready());
    if (n % 50 == 0) ring.reader.rest(ring.buffers);
  }
  ring.reader.rest(ring.buffers);
  CHECK_FALSE(ring.reader.in_use());
  for (std::uint32_t n = 0; n < blocks * Blocks::slots; ++n)
    CHECK(ring.with_kernel(n));
}
