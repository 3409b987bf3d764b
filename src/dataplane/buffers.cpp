#include "mcr/dataplane/buffers.hpp"

#include <sys/mman.h>
#include <sys/uio.h>

#include <atomic>
#include <numeric>

#include "mcr/base/error.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"

namespace mcr {

Buffers::Buffers(Ring& ring)
    : ring_(reinterpret_cast<io_uring_buf_ring*>(entries_.data())),
      references_(most + blocks + spares, 0),
      lent_(blocks),
      free_blocks_(blocks),
      free_spares_(spares) {
  std::iota(free_blocks_.begin(), free_blocks_.end(), std::uint16_t{most});
  std::iota(free_spares_.begin(), free_spares_.end(), first_spare);
  register_memory(ring);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
  registration.ring_entries = count_;
  registration.bgid = group;
  const int error = -io_uring_register_buf_ring(&ring.raw(), &registration, 0);
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

std::optional<std::uint16_t> Buffers::lend(std::uint32_t& status, std::uint32_t& in_use) noexcept {
  if (free_block_count_ == 0) return std::nullopt;
  const auto id = free_blocks_[--free_block_count_];
  references_[id] = 1;
  lent_[id - most] = {&status, &in_use};
  ++in_use;
  return id;
}

std::optional<std::uint16_t> Buffers::take_spare() noexcept {
  if (free_spare_count_ == 0) return std::nullopt;
  const auto id = free_spares_[--free_spare_count_];
  references_[id] = 1;
  return id;
}

void Buffers::give_back(std::uint16_t id) noexcept {
  if (is_spare(id)) {
    free_spares_[free_spare_count_++] = id;
    return;
  }
  if (is_block(id)) {
    const auto& block = lent_[id - most];
    --*block.in_use;
    free_blocks_[free_block_count_++] = id;
    return std::atomic_ref(*block.status).store(0, std::memory_order_release);
  }
  --held_;
  io_uring_buf_ring_add(ring_, at(id), size, id, io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace mcr
