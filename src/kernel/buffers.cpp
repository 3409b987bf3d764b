#include "mcr/buffers.hpp"

#include <atomic>
#include <numeric>

#include "mcr/error.hpp"

namespace mcr {

Buffers::Buffers(Ring& ring)
    : ring_(reinterpret_cast<io_uring_buf_ring*>(entries_.data())),
      references_(count + blocks + spares, 0),
      lent_(blocks),
      free_blocks_(blocks),
      free_spares_(spares) {
  std::iota(free_blocks_.begin(), free_blocks_.end(), std::uint16_t{count});
  std::iota(free_spares_.begin(), free_spares_.end(), first_spare);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
  registration.ring_entries = count;
  registration.bgid = group;
  const int error = -io_uring_register_buf_ring(&ring.raw(), &registration, 0);
  if (error != 0) throw OsError(error, "register receive buffers");
  io_uring_buf_ring_init(ring_);
  for (std::uint32_t id = 0; id < count; ++id)
    io_uring_buf_ring_add(ring_, at(static_cast<std::uint16_t>(id)), size,
                          static_cast<std::uint16_t>(id), io_uring_buf_ring_mask(count),
                          static_cast<int>(id));
  io_uring_buf_ring_advance(ring_, static_cast<int>(count));
}

std::optional<std::uint16_t> Buffers::lend(std::uint32_t& status, std::uint32_t& in_use) noexcept {
  if (free_block_count_ == 0) return std::nullopt;
  const auto id = free_blocks_[--free_block_count_];
  references_[id] = 1;
  lent_[id - count] = {&status, &in_use};
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
    const auto& block = lent_[id - count];
    --*block.in_use;
    free_blocks_[free_block_count_++] = id;
    return std::atomic_ref(*block.status).store(0, std::memory_order_release);
  }
  --held_;
  io_uring_buf_ring_add(ring_, at(id), size, id, io_uring_buf_ring_mask(count), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace mcr
