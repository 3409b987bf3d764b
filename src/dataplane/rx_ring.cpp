// The kernel fills a ring in turn and hands over what it has filled (TP_STATUS_USER): of packed
// blocks a whole one, that is full or old enough; of slots each by itself. We read in place, frame
// by frame. Either way we give back whole blocks (status 0 in the block, or in each of its slots),
// each when its last reference is gone. The kernel stops at a block that it has not got back, and
// frames are lost from then on. A message that a slow output keeps waiting would hold its block for
// seconds. So only the quarter of the ring that was read last may stay in use: leave_old() copies
// what is held of the rest elsewhere, in the order in which the kernel will want it. Without slow
// outputs nothing is ever copied.
//
// Slots are for frames of an Ethernet link's size. A longer one (a superframe, a jumbo frame) fills
// a slot with what it begins with, and the kernel queues the frame itself in the socket's receive
// buffer (PACKET_COPY_THRESH): the slot has TP_STATUS_COPY, and the socket gives the frames in the
// order of those slots. Where that buffer has no room the slot has no such mark, and the frame is
// lost.
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

constexpr std::uint32_t blocks_at_least = 4;
/// Our mark in the status of a block, or of the first slot of it that is lent, beside
/// TP_STATUS_USER: begun, and not back with the kernel. When the ring has gone round, such a block
/// must not be taken for a new one.
constexpr std::uint32_t in_hand = 1U << 16U;

tpacket_hdr_v1& header_of(std::byte* block) noexcept {
  return reinterpret_cast<tpacket_block_desc*>(block)->hdr.bh1;
}

std::uint32_t& slot_status(std::byte* slot) noexcept {
  return reinterpret_cast<tpacket2_hdr*>(slot)->tp_status;
}

std::uint32_t load(std::uint32_t& status) noexcept {
  return std::atomic_ref(status).load(std::memory_order_acquire);
}

/// So much of a block's memory has frames.
std::size_t bytes_in_use(const Blocks& blocks, std::uint32_t block) noexcept {
  return blocks.layout == RingLayout::packed ? header_of(blocks.at(block)).blk_len : Blocks::bytes;
}

/// Reads a frame's place; the headers of both layouts name its parts alike.
template <typename Header>
BlockFrame frame_at(const std::byte* place, std::uint16_t buffer) noexcept {
  const auto& header = *reinterpret_cast<const Header*>(place);
  BlockFrame frame;
  frame.buffer = buffer;
  std::memcpy(&frame.vnet, place + header.tp_mac - sizeof frame.vnet, sizeof frame.vnet);
  frame.bytes = {place + header.tp_mac, header.tp_snaplen};
  frame.whole = header.tp_snaplen == header.tp_len;
  return frame;
}

}  // namespace

BlockRing::BlockRing(Fd socket, RingLayout layout, std::uint64_t bytes,
                     const std::string& interface) {
  const SocketOptions options(socket);
  const auto where = "on " + interface;
  const bool packed = layout == RingLayout::packed;
  options.set(SOL_PACKET, PACKET_VERSION, int{packed ? TPACKET_V3 : TPACKET_V2},
              "choose the kind of receive ring", where);
  if (!packed) options.set(SOL_PACKET, PACKET_COPY_THRESH, 1, "ask for whole frames", where);
  blocks_.layout = layout;
  blocks_.count = std::max(static_cast<std::uint32_t>((bytes + Blocks::bytes - 1) / Blocks::bytes),
                           blocks_at_least);
  tpacket_req3 request{};
  request.tp_block_size = Blocks::bytes;
  request.tp_block_nr = blocks_.count;
  request.tp_frame_size = Blocks::slot_bytes;  // where frames are packed it only divides a block
  request.tp_frame_nr = Blocks::slots * blocks_.count;
  request.tp_retire_blk_tov = static_cast<unsigned>(block_timeout.count());
  if (packed)
    options.set(SOL_PACKET, PACKET_RX_RING, request, "make a receive ring", where);
  else
    options.set(SOL_PACKET, PACKET_RX_RING,
                tpacket_req{request.tp_block_size, request.tp_block_nr, request.tp_frame_size,
                            request.tp_frame_nr},
                "make a receive ring", where);
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

/// A slot that lies `ahead` of the next one.
std::byte* BlockReader::slot(std::uint32_t ahead) const noexcept {
  const auto at = (block_ * Blocks::slots + slot_ + ahead) % (blocks_.count * Blocks::slots);
  return blocks_.memory + std::size_t{at} * Blocks::slot_bytes;
}

/// The status word that bears our mark while the block is lent.
std::uint32_t& BlockReader::mark(std::uint32_t block) const noexcept {
  auto* at = blocks_.at(block);
  if (blocks_.layout == RingLayout::packed) return header_of(at).block_status;
  return slot_status(at + lent_[block].first_slot * Blocks::slot_bytes);
}

/// That of the next block, or of the next slot.
std::uint32_t BlockReader::status() const noexcept {
  if (blocks_.layout == RingLayout::packed) return load(header_of(blocks_.at(block_)).block_status);
  return load(slot_status(slot()));
}

bool BlockReader::ready() const noexcept {
  if (open_ && blocks_.layout == RingLayout::packed) return true;
  return (status() & (TP_STATUS_USER | in_hand)) == TP_STATUS_USER;
}

bool BlockReader::queued() const noexcept {
  return blocks_.layout == RingLayout::slots && (status() & TP_STATUS_COPY) != 0;
}

/// The kernel fills slots in turn.
bool BlockReader::has(std::uint32_t frames) const noexcept {
  return blocks_.layout == RingLayout::slots &&
         (load(slot_status(slot(frames - 1))) & (TP_STATUS_USER | in_hand)) == TP_STATUS_USER;
}

bool BlockReader::open(Buffers& buffers) noexcept {
  auto* block = blocks_.at(block_);
  const bool packed = blocks_.layout == RingLayout::packed;
  lent_[block_].first_slot = static_cast<std::uint16_t>(slot_);
  auto& status = mark(block_);
  const auto buffer = buffers.lend({.memory = block,
                                    .status = &status,
                                    .statuses = packed ? 1 : Blocks::slots - slot_,
                                    .spacing = Blocks::slot_bytes,
                                    .in_use = &in_use_});
  if (!buffer) return false;
  status |= in_hand;
  buffer_ = lent_[block_].buffer = *buffer;
  open_ = true;
  if (packed) {
    frame_ = block + header_of(block).offset_to_first_pkt;
    frames_left_ = header_of(block).num_pkts;
  }
  return true;
}

void BlockReader::close(Buffers& buffers) noexcept {
  open_ = false;
  slot_ = 0;
  if (++block_ == blocks_.count) block_ = 0;
  buffers.release(buffer_);
}

void BlockReader::rest(Buffers& buffers) noexcept {
  if (!open_ || blocks_.layout == RingLayout::packed) return;
  open_ = false;
  buffers.shorten(buffer_, slot_ - lent_[block_].first_slot);
  buffers.release(buffer_);
}

std::optional<BlockFrame> BlockReader::next(Buffers& buffers) noexcept {
  if (!ready() || (!open_ && !open(buffers))) return std::nullopt;
  if (blocks_.layout == RingLayout::packed) return next_packed(buffers);
  return next_in_slot(buffers);
}

std::optional<BlockFrame> BlockReader::next_packed(Buffers& buffers) noexcept {
  if (frames_left_ == 0) {
    close(buffers);
    return std::nullopt;
  }
  --frames_left_;
  buffers.retain(buffer_);
  const auto frame = frame_at<tpacket3_hdr>(frame_, buffer_);
  frame_ += reinterpret_cast<const tpacket3_hdr*>(frame_)->tp_next_offset;
  return frame;
}

BlockFrame BlockReader::next_in_slot(Buffers& buffers) noexcept {
  buffers.retain(buffer_);
  const auto frame = frame_at<tpacket2_hdr>(slot(), buffer_);
  if (++slot_ == Blocks::slots) close(buffers);
  return frame;
}

void BlockReader::leave_old(Buffers& buffers) noexcept {
  if (in_use_ == 0) return;
  auto block = open_ ? block_ + 1 : block_;
  for (auto left = blocks_.count - blocks_.count / 4; left != 0; --left, ++block) {
    if (block >= blocks_.count) block = 0;
    const bool ours = (std::atomic_ref(mark(block)).load(std::memory_order_relaxed) & in_hand) != 0;
    if (ours && !buffers.leave(lent_[block].buffer, bytes_in_use(blocks_, block))) return;
  }
}

}  // namespace mcr
