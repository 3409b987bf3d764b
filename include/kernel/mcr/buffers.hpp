// The memory that frames are received into: a provided-buffer ring (io_uring_register_buf_ring(3))
// and a reference count a buffer. Zero-copy sends read straight from here.
#pragma once

#include <cstddef>
#include <cstdint>
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

  /// Buffers that the kernel may still fill.
  [[nodiscard]] std::uint32_t available() const noexcept { return count - held_; }

 private:
  void give_back(std::uint16_t id) noexcept;

  Mapping<std::byte> memory_{count * size};
  Mapping<io_uring_buf> entries_{count};
  io_uring_buf_ring* ring_;
  std::vector<std::uint32_t> references_;
  std::uint32_t held_ = 0;
};

}  // namespace mcr
