// A receive ring of blocks that the kernel fills and we read in place: TPACKET_V3 of packet(7),
// Documentation/networking/packet_mmap.rst. No system call a frame, but a frame is seen only when
// its block is full or `block_timeout` old.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

/// A ring's memory, borrowed from its BlockRing.
struct Blocks {
  static constexpr std::uint32_t bytes = Buffers::block_size;  ///< of one; holds a frame of 64 KiB

  std::byte* memory = nullptr;  ///< null: the socket has no ring
  std::uint32_t count = 0;

  [[nodiscard]] std::byte* at(std::uint32_t block) const noexcept {
    return memory + std::size_t{block} * bytes;
  }
};

/// When the kernel hands over a block that is not full. Older kernels count in timer ticks.
inline constexpr std::chrono::milliseconds block_timeout{1};

/// The ring of one packet socket, owned; the socket must not be bound yet. Control thread only.
class BlockRing {
 public:
  /// With at least `bytes` in all. `interface` is only its name in errors. Throws OsError.
  BlockRing(Fd socket, std::uint64_t bytes, const std::string& interface);
  BlockRing(BlockRing&& other) noexcept;
  BlockRing& operator=(BlockRing&&) = delete;
  BlockRing(const BlockRing&) = delete;
  BlockRing& operator=(const BlockRing&) = delete;
  ~BlockRing();

  [[nodiscard]] Blocks blocks() const noexcept { return blocks_; }

 private:
  Blocks blocks_;
};

/// One frame in its block.
struct BlockFrame {
  std::uint16_t buffer = 0;
  VnetHeader vnet;
  std::span<const std::byte> bytes;
  bool whole = true;  ///< false: it was longer than a block
};

/// A worker's place in a ring. Worker thread only.
class BlockReader {
 public:
  BlockReader() = default;
  explicit BlockReader(Blocks blocks) : blocks_(blocks), ids_(blocks.count) {}

  [[nodiscard]] std::uint32_t blocks() const noexcept { return blocks_.count; }  ///< 0: no ring

  /// True if there are frames: in the open block, or in the next one, which is full or timed out.
  [[nodiscard]] bool ready() const noexcept;
  /// The next frame, and whose buffer it is in, with one reference; none where a block ends.
  std::optional<BlockFrame> next(Buffers& buffers) noexcept;
  /// Leaves the blocks that somebody still refers to, but for the quarter of the ring that was read
  /// last, as long as there are copies. No request that refers to a block may be on its way to the
  /// kernel.
  void leave_old(Buffers& buffers) noexcept;
  /// True if some block is not back with the kernel.
  [[nodiscard]] bool in_use() const noexcept { return in_use_ != 0; }

 private:
  bool open(Buffers& buffers) noexcept;

  Blocks blocks_;
  std::vector<std::uint16_t> ids_;  ///< of each block that is in use: a buffer
  std::uint32_t block_ = 0;         ///< that is open, or comes next
  std::uint16_t buffer_ = 0;
  bool open_ = false;
  const std::byte* frame_ = nullptr;
  std::uint32_t frames_left_ = 0;
  std::uint32_t in_use_ = 0;
};

}  // namespace mcr
