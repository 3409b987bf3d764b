// The memory that frames are received into, and who still refers to it. Theory in buffers.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mcr/base/mapping.hpp"
#include "mcr/dataplane/ring.hpp"

namespace mcr {

/// Worker thread only, once the ring is enabled. Nothing here allocates after construction.
class Buffers {
 public:
  static constexpr std::uint16_t group = 0;
  /// How many there are: `most`, or as many as the kernel lets us register (both powers of two).
  static constexpr std::uint32_t most = 512;
  static constexpr std::uint32_t least_registered = 64;
  /// Bytes of one: 17 pages hold a frame of 65,535 bytes with its headers, and are as many page
  /// fragments as one zero-copy message may have.
  static constexpr std::size_t size = 17 * std::size_t{4096};

  /// Blocks of receive rings (rx_ring.hpp) that may be in use at once, and bytes of one.
  static constexpr std::uint32_t blocks = 8192;
  static constexpr std::size_t block_size = 256U << 10U;
  /// Blocks whose content may lie in memory of ours at once.
  static constexpr std::uint32_t copies = 512;

  /// Registers with the ring, which must outlive this. Throws OsError.
  explicit Buffers(Ring& ring);

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// True if a zero-copy send may name the memory as the ring's registered buffer 0
  /// (IORING_RECVSEND_FIXED_BUF): then the kernel has pinned it and charged it to RLIMIT_MEMLOCK
  /// once, instead of anew for each message. Not where the kernel is older, or the limit too low.
  [[nodiscard]] bool registered() const noexcept { return registered_; }

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

  /// Buffers that the kernel may still fill.
  [[nodiscard]] std::uint32_t available() const noexcept { return count_ - held_; }

  /// True if a zero-copy send may hold this buffer: it is no block.
  [[nodiscard]] static constexpr bool may_pin(std::uint16_t id) noexcept { return id < most; }

  /// A block of a receive ring, and where it tells the kernel that it is free.
  struct Block {
    std::byte* memory = nullptr;  ///< block_size bytes
    std::uint32_t* status = nullptr;
    std::uint32_t statuses = 1;       ///< `status` is the first of so many,
    std::uint32_t spacing = 0;        ///< each so many bytes behind the one before
    std::uint32_t* in_use = nullptr;  ///< blocks of its ring that the kernel waits for
  };
  /// Counts references on a block: one for now. The last one writes 0 to each status, which gives
  /// the block back to the kernel, and takes 1 from `in_use`. None: too many blocks are in use.
  std::optional<std::uint16_t> lend(const Block& block) noexcept;
  /// The block is lent only as far as these, its first statuses, tell; the caller has the rest.
  void shorten(std::uint16_t id, std::uint32_t statuses) noexcept {
    lent_[id - most].block.statuses = statuses;
  }
  /// Gives a block back to the kernel before its last reference is gone: its first `bytes` lie in a
  /// copy from then on. Nothing may read the block meanwhile. False: no copy is left.
  bool leave(std::uint16_t id, std::size_t bytes) noexcept;
  /// Makes `data`, which points into this buffer, point to where that lies now.
  void follow(std::uint16_t id, void*& data) const noexcept {
    if (id >= most && lent_[id - most].copy != none) data = in_copy(id, data);
  }
  [[nodiscard]] bool has_copies() const noexcept { return free_copy_count_ != 0; }

 private:
  static constexpr std::uint16_t none = copies;

  struct Lent {
    Block block;
    std::uint16_t copy = none;  ///< in copy_memory_
  };

  [[nodiscard]] std::byte* in_copy(std::uint16_t id, void* data) const noexcept;
  void register_memory(Ring& ring) noexcept;
  static void give_back(const Block& block) noexcept;
  void give_back(std::uint16_t id) noexcept;

  Mapping<std::byte> memory_{most * size};
  std::uint32_t count_ = most;
  bool registered_ = false;
  Mapping<io_uring_buf> entries_{most};
  io_uring_buf_ring* ring_;
  std::vector<std::uint32_t> references_;
  std::uint32_t held_ = 0;
  std::vector<Lent> lent_;                  ///< by id, from `most` on
  std::vector<std::uint16_t> free_blocks_;  ///< ids; its first free_block_count_ are free
  std::uint32_t free_block_count_ = blocks;
  Mapping<std::byte> copy_memory_{copies * block_size};
  std::vector<std::uint16_t> free_copies_;
  std::uint32_t free_copy_count_ = copies;
};

}  // namespace mcr
