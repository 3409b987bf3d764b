// The memory that frames are received into: a provided-buffer ring (io_uring_register_buf_ring(3))
// and a reference count a buffer. Zero-copy sends read straight from here. Blocks of receive rings
// (block_ring.hpp) are counted here, too, under ids of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mcr/mapping.hpp"
#include "mcr/ring.hpp"

namespace mcr {

/// Worker thread only, once the ring is enabled. Nothing here allocates after construction.
class Buffers {
 public:
  static constexpr std::uint16_t group = 0;
  static constexpr std::uint32_t count = 512;  ///< a power of two
  /// Bytes of one: 17 pages hold a frame of 65,535 bytes with its headers, and are as many page
  /// fragments as one zero-copy message may have.
  static constexpr std::size_t size = 17 * std::size_t{4096};

  /// Blocks that may be in use at once.
  static constexpr std::uint32_t blocks = 8192;

  /// Registers with the ring, which must outlive this. Throws OsError.
  explicit Buffers(Ring& ring);

  [[nodiscard]] std::byte* at(std::uint16_t id) const noexcept {
    return memory_.data() + id * size;
  }

  /// The kernel has filled this buffer and given it to us: one reference.
  void received(std::uint16_t id) noexcept {
    references_[id] = 1;
    ++held_;
  }
  void retain(std::uint16_t id) noexcept { ++references_[id]; }
  /// The last reference gives the buffer back to the kernel.
  void release(std::uint16_t id) noexcept {
    if (--references_[id] == 0) give_back(id);
  }

  /// Buffers that the kernel may still fill; where blocks are scarcer, that share of `count`.
  [[nodiscard]] std::uint32_t available() const noexcept {
    if (blocks_in_rings_ == 0) return count - held_;
    const auto blocks_in_use = blocks - free_count_;
    return count - std::max(held_, blocks_in_use * count / blocks_in_rings_);
  }

  /// How many blocks the worker's rings have.
  void set_blocks_in_rings(std::uint32_t number) noexcept { blocks_in_rings_ = number; }

  /// Counts references on a block: one for now. The last one writes 0 to `status`, which gives the
  /// block back to the kernel, and takes 1 from `in_use`. None: too many blocks are in use.
  std::optional<std::uint16_t> lend(std::uint32_t& status, std::uint32_t& in_use) noexcept;

 private:
  struct Block {
    std::uint32_t* status;
    std::uint32_t* in_use;
  };

  void give_back(std::uint16_t id) noexcept;

  Mapping<std::byte> memory_{count * size};
  Mapping<io_uring_buf> entries_{count};
  io_uring_buf_ring* ring_;
  std::vector<std::uint32_t> references_;
  std::uint32_t held_ = 0;
  std::vector<Block> lent_;
  std::vector<std::uint16_t> free_blocks_;  ///< ids; its first free_count_ are free
  std::uint32_t free_count_ = blocks;
  std::uint32_t blocks_in_rings_ = 0;
};

}  // namespace mcr
