// The memory that frames are received into: a provided-buffer ring (io_uring_register_buf_ring(3))
// and a reference count a buffer. Zero-copy sends read straight from here. Blocks of receive rings
// (rx_ring.hpp) and spare buffers are counted in the same way, under ids of their own.
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

  /// Blocks that may be in use at once.
  static constexpr std::uint32_t blocks = 8192;
  /// Buffers that the kernel does not fill: for datagrams that must leave their block.
  static constexpr std::uint32_t spares = 2048;

  /// Registers with the ring, which must outlive this. Throws OsError.
  explicit Buffers(Ring& ring);

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// Whether a zero-copy send may name the memory as the ring's registered buffer 0
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

  /// Counts references on a block: one for now. The last one writes 0 to `status`, which gives the
  /// block back to the kernel, and takes 1 from `in_use`. None: too many blocks are in use.
  std::optional<std::uint16_t> lend(std::uint32_t& status, std::uint32_t& in_use) noexcept;
  [[nodiscard]] static constexpr bool is_block(std::uint16_t id) noexcept {
    return id >= most && id < first_spare;
  }

  /// An empty buffer of `size` bytes, with one reference. None: all are in use.
  std::optional<std::uint16_t> take_spare() noexcept;
  [[nodiscard]] static constexpr bool is_spare(std::uint16_t id) noexcept {
    return id >= first_spare;
  }
  [[nodiscard]] bool has_spares() const noexcept { return free_spare_count_ != 0; }
  [[nodiscard]] std::byte* spare(std::uint16_t id) const noexcept {
    return spare_memory_.data() + (id - first_spare) * size;
  }

 private:
  static constexpr std::uint16_t first_spare = most + blocks;

  struct Block {
    std::uint32_t* status;
    std::uint32_t* in_use;
  };

  void register_memory(Ring& ring) noexcept;
  void give_back(std::uint16_t id) noexcept;

  Mapping<std::byte> memory_{most * size};
  std::uint32_t count_ = most;
  bool registered_ = false;
  Mapping<io_uring_buf> entries_{most};
  io_uring_buf_ring* ring_;
  std::vector<std::uint32_t> references_;
  std::uint32_t held_ = 0;
  std::vector<Block> lent_;
  std::vector<std::uint16_t> free_blocks_;  ///< ids; its first free_block_count_ are free
  std::uint32_t free_block_count_ = blocks;
  Mapping<std::byte> spare_memory_{spares * size};
  std::vector<std::uint16_t> free_spares_;
  std::uint32_t free_spare_count_ = spares;
};

}  // namespace mcr
