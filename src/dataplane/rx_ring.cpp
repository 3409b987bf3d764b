// The kernel fills the blocks of a ring in turn. A block that is full, or old enough, is handed
// over (TP_STATUS_USER) and read in place, frame by frame; its last reference hands it back (status
// 0). The kernel stops at a block that is not back, and frames are lost from then on. A message
// that a slow output keeps waiting would hold its block for seconds. So only the quarter of the
// ring that was read last may stay in use: leave_old() copies what is held of the rest elsewhere,
// in the order in which the kernel will want it. Without slow outputs nothing is ever copied.
#include "mcr/dataplane/rx_ring.hpp"

#include <linux/if_packet.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

/// The kernel only checks that it divides a block: frames are packed one behind the other.
constexpr std::uint32_t frame_bytes = 2048;
constexpr std::uint32_t blocks_at_least = 4;
/// Our mark in a block's status beside TP_STATUS_USER: begun, and not back with the kernel. When
/// the ring has gone round, such a block must not be taken for a new one.
constexpr std::uint32_t in_hand = 1U << 16U;

tpacket_hdr_v1& header_of(std::byte* block) noexcept {
  return reinterpret_cast<tpacket_block_desc*>(block)->hdr.bh1;
}

}  // namespace

BlockRing::BlockRing(Fd socket, std::uint64_t bytes, const std::string& interface) {
  const SocketOptions options(socket);
  options.set(SOL_PACKET, PACKET_VERSION, int{TPACKET_V3}, "ask for TPACKET_V3", "on " + interface);
  blocks_.count = std::max(static_cast<std::uint32_t>((bytes + Blocks::bytes - 1) / Blocks::bytes),
                           blocks_at_least);
  tpacket_req3 request{};
  request.tp_block_size = Blocks::bytes;
  request.tp_block_nr = blocks_.count;
  request.tp_frame_size = frame_bytes;
  request.tp_frame_nr = Blocks::bytes / frame_bytes * blocks_.count;
  request.tp_retire_blk_tov = static_cast<unsigned>(block_timeout.count());
  options.set(SOL_PACKET, PACKET_RX_RING, request, "make a receive ring", "on " + interface);
  void* memory = ::mmap(nullptr, std::size_t{blocks_.count} * Blocks::bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED, socket.get(), 0);
  if (memory == MAP_FAILED) throw_errno("map a receive ring", "of " + interface);
  blocks_.memory = static_cast<std::byte*>(memory);
}

BlockRing::BlockRing(BlockRing&& other) noexcept : blocks_(std::exchange(other.blocks_, {})) {}

BlockRing::~BlockRing() {
  if (blocks_.memory != nullptr)
    ::munmap(blocks_.memory, std::size_t{blocks_.count} * Blocks::bytes);
}

bool BlockReader::ready() const noexcept {
  if (open_) return true;
  const std::atomic_ref status(header_of(blocks_.at(block_)).block_status);
  return (status.load(std::memory_order_acquire) & (TP_STATUS_USER | in_hand)) == TP_STATUS_USER;
}

bool BlockReader::open(Buffers& buffers) noexcept {
  auto* block = blocks_.at(block_);
  auto& header = header_of(block);
  const auto buffer = buffers.lend({block, &header.block_status, &in_use_});
  if (!buffer) return false;
  header.block_status |= in_hand;
  buffer_ = ids_[block_] = *buffer;
  open_ = true;
  frame_ = block + header.offset_to_first_pkt;
  frames_left_ = header.num_pkts;
  return true;
}

std::optional<BlockFrame> BlockReader::next(Buffers& buffers) noexcept {
  if (!open_ && (!ready() || !open(buffers))) return std::nullopt;
  if (frames_left_ == 0) {
    open_ = false;
    if (++block_ == blocks_.count) block_ = 0;
    buffers.release(buffer_);
    return std::nullopt;
  }
  --frames_left_;
  buffers.retain(buffer_);
  const auto& header = *reinterpret_cast<const tpacket3_hdr*>(frame_);
  BlockFrame frame;
  frame.buffer = buffer_;
  std::memcpy(&frame.vnet, frame_ + header.tp_mac - sizeof frame.vnet, sizeof frame.vnet);
  frame.bytes = {frame_ + header.tp_mac, header.tp_snaplen};
  frame.whole = header.tp_snaplen == header.tp_len;
  frame_ += header.tp_next_offset;
  return frame;
}

void BlockReader::leave_old(Buffers& buffers) noexcept {
  if (in_use_ == 0) return;
  auto block = open_ ? block_ + 1 : block_;
  for (auto left = blocks_.count - blocks_.count / 4; left != 0; --left, ++block) {
    if (block >= blocks_.count) block = 0;
    auto& header = header_of(blocks_.at(block));
    const bool ours =
        (std::atomic_ref(header.block_status).load(std::memory_order_relaxed) & in_hand) != 0;
    if (ours && !buffers.leave(ids_[block], header.blk_len)) return;
  }
}

}  // namespace mcr
