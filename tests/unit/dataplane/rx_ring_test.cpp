// Blocks of a receive ring, filled by hand as the kernel would (packet(7), TPACKET_V3).
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
  BlockReader reader{Blocks{memory.data(), blocks}};

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
