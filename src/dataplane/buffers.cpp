// A frame lies in one of two kinds of memory, each piece of it with an id and a count of
// references:
//
//   buffers  ids below `most`: a provided-buffer ring (io_uring_register_buf_ring(3)), from which a
//            multishot receive takes one for each frame. Zero-copy sends read straight from here,
//            so a buffer may stay away for seconds; its last reference gives it back.
//   blocks   ids from `most` on: memory of a receive ring (rx_ring.hpp), many frames in each. The
//            kernel fills blocks in turn and stops at the first one that is not back. So a block
//            must not stay away: it is never pinned, and the receiver may leave() it. Its content
//            moves to a copy then, under the same id, and who refers to it calls follow() before it
//            reads.
#include "mcr/dataplane/buffers.hpp"

#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"
#include "mcr/host/locked_memory.hpp"

namespace mcr {

namespace {

/// For memory that rings which are gone still hold: the kernel gives it back late.
constexpr std::chrono::milliseconds give_back_pause{20};
constexpr int give_backs_at_most = 10;

/// 0, or why not.
int register_ring(Ring& ring, io_uring_buf_reg& registration) noexcept {
  for (int left = give_backs_at_most;; --left) {
    const int error = -io_uring_register_buf_ring(&ring.raw(), &registration, 0);
    if (error != ENOMEM || left == 0) return error;
    std::this_thread::sleep_for(give_back_pause);
  }
}

}  // namespace

Buffers::Buffers(Ring& ring)
    : ring_(reinterpret_cast<io_uring_buf_ring*>(entries_.data())),
      references_(most + blocks, 0),
      lent_(blocks),
      free_blocks_(blocks),
      free_copies_(copies) {
  std::iota(free_blocks_.begin(), free_blocks_.end(), std::uint16_t{most});
  std::iota(free_copies_.begin(), free_copies_.end(), std::uint16_t{0});
  register_memory(ring);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
  registration.ring_entries = count_;
  registration.bgid = group;
  const int error = register_ring(ring, registration);
  if (error == ENOMEM)
    throw Failure(ExitCode::os,
                  "register receive buffers: " + errno_text(error) + about_locked_memory());
  if (error != 0) throw OsError(error, "register receive buffers");
  io_uring_buf_ring_init(ring_);
  for (std::uint32_t id = 0; id < count_; ++id)
    io_uring_buf_ring_add(ring_, at(static_cast<std::uint16_t>(id)), size,
                          static_cast<std::uint16_t>(id), io_uring_buf_ring_mask(count_),
                          static_cast<int>(id));
  io_uring_buf_ring_advance(ring_, static_cast<int>(count_));
}

/// No huge pages: of
/// a piece inside of one, the kernel charges the send buffer all that lies before it, too.
void Buffers::register_memory(Ring& ring) noexcept {
  if (!zerocopy_features().registered_pieces) return;
  ::madvise(memory_.data(), most * size, MADV_NOHUGEPAGE);
  for (auto count = most; count >= least_registered && !registered_; count /= 2) {
    const iovec all{memory_.data(), count * size};
    registered_ = io_uring_register_buffers(&ring.raw(), &all, 1) == 0;
    if (registered_) count_ = count;
  }
  // Refused attempts have made all of it resident.
  const auto kept = registered_ ? count_ * size : 0;
  ::madvise(memory_.data() + kept, most * size - kept, MADV_DONTNEED);
}

std::optional<std::uint16_t> Buffers::lend(const Block& block) noexcept {
  if (free_block_count_ == 0) return std::nullopt;
  const auto id = free_blocks_[--free_block_count_];
  references_[id] = 1;
  lent_[id - most] = {block, none};
  ++*block.in_use;
  return id;
}

bool Buffers::leave(std::uint16_t id, std::size_t bytes) noexcept {
  if (free_copy_count_ == 0) return false;
  auto& [block, copy] = lent_[id - most];
  copy = free_copies_[--free_copy_count_];
  std::memcpy(copy_memory_.data() + copy * block_size, block.memory, std::min(bytes, block_size));
  give_back(block);
  return true;
}

/// A pointer that has followed before stays as it is.
std::byte* Buffers::in_copy(std::uint16_t id, void* data) const noexcept {
  const auto& [block, copy] = lent_[id - most];
  auto* bytes = static_cast<std::byte*>(data);
  const bool in_block =
      !std::less<>()(bytes, block.memory) && std::less<>()(bytes, block.memory + block_size);
  return in_block ? copy_memory_.data() + copy * block_size + (bytes - block.memory) : bytes;
}

void Buffers::give_back(const Block& block) noexcept {
  --*block.in_use;
  for (std::uint32_t n = 0; n < block.statuses; ++n)
    std::atomic_ref(block.status[n * block.spacing / sizeof *block.status])
        .store(0, std::memory_order_release);
}

void Buffers::give_back(std::uint16_t id) noexcept {
  if (may_pin(id)) {
    --held_;
    io_uring_buf_ring_add(ring_, at(id), size, id, io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(ring_, 1);
    return;
  }
  auto& [block, copy] = lent_[id - most];
  if (copy == none)
    give_back(block);
  else
    free_copies_[free_copy_count_++] = std::exchange(copy, none);
  free_blocks_[free_block_count_++] = id;
}

}  // namespace mcr
