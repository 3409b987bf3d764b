// A receive ring that the kernel fills and we read in place: packet(7),
// Documentation/networking/packet_mmap.rst. No system call a frame. Theory in rx_ring.cpp.
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

/// How frames lie in a ring's blocks.
enum class RingLayout : std::uint8_t {
  /// TPACKET_V2: each in a slot of its own, seen as soon as it has come. The bytes of one that is
  /// longer than a slot wait in the socket's receive buffer.
  slots,
  /// TPACKET_V3: one behind the other, seen when the block is full or `block_timeout` old.
  packed,
};

/// A ring's memory, borrowed from its BlockRing.
struct Blocks {
  static constexpr std::uint32_t bytes = Buffers::block_size;  ///< of one; holds a frame of 64 KiB
  /// A slot holds a frame of 1,500 bytes with its headers and the kernel's, and has room to spare.
  static constexpr std::uint32_t slot_bytes = 2048;
  static constexpr std::uint32_t slots = bytes / slot_bytes;  ///< in one block

  std::byte* memory = nullptr;  ///< null: the socket has no ring
  std::uint32_t count = 0;
  RingLayout layout = RingLayout::slots;

  [[nodiscard]] std::byte* at(std::uint32_t block) const noexcept {
    return memory + std::size_t{block} * bytes;
  }
};

/// When the kernel hands over a packed block that is not full. Older kernels count in timer ticks.
inline constexpr std::chrono::milliseconds block_timeout{1};

/// The ring of one packet socket, owned; the socket must not be bound yet. Control thread only.
class BlockRing {
 public:
  /// With at least `bytes` in all. `interface` is only its name in errors. Throws OsError.
  BlockRing(Fd socket, RingLayout layout, std::uint64_t bytes, const std::string& interface);
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
  bool whole = true;  ///< false: it was longer than its place
};

/// A worker's place in a ring. Worker thread only.
class BlockReader {
 public:
  BlockReader() = default;
  explicit BlockReader(Blocks blocks) : blocks_(blocks), lent_(blocks.count) {}

  [[nodiscard]] std::uint32_t blocks() const noexcept { return blocks_.count; }  ///< 0: no ring

  /// True if next() has a frame, or a packed block has ended.
  [[nodiscard]] bool ready() const noexcept;
  /// While ready(): all bytes of the next frame wait in the socket, too.
  [[nodiscard]] bool queued() const noexcept;
  /// True if there are so many frames, at most Blocks::slots; of packed blocks it is not known.
  [[nodiscard]] bool has(std::uint32_t frames) const noexcept;
  /// The next frame, and whose buffer it is in, with one reference; none where a packed block ends.
  std::optional<BlockFrame> next(Buffers& buffers) noexcept;
  /// Lets go of the block that is being read, as far as it has been read: the reader holds nothing
  /// until it reads again, and goes on there.
  void rest(Buffers& buffers) noexcept;
  /// Leaves the blocks that somebody still refers to, but for the quarter of the ring that was read
  /// last, as long as there are copies. No request that refers to a block may be on its way to the
  /// kernel.
  void leave_old(Buffers& buffers) noexcept;
  /// True if some block is not back with the kernel.
  [[nodiscard]] bool in_use() const noexcept { return in_use_ != 0; }

 private:
  struct Lent {
    std::uint16_t buffer = 0;
    std::uint16_t first_slot = 0;
  };

  [[nodiscard]] std::byte* slot(std::uint32_t ahead = 0) const noexcept;
  [[nodiscard]] std::uint32_t& mark(std::uint32_t block) const noexcept;
  [[nodiscard]] std::uint32_t status() const noexcept;
  bool open(Buffers& buffers) noexcept;
  void close(Buffers& buffers) noexcept;
  std::optional<BlockFrame> next_packed(Buffers& buffers) noexcept;
  BlockFrame next_in_slot(Buffers& buffers) noexcept;

  Blocks blocks_;
  std::vector<Lent> lent_;   ///< each block that is in use
  std::uint32_t block_ = 0;  ///< that is open, or comes next
  std::uint16_t buffer_ = 0;
  bool open_ = false;
  std::uint32_t slot_ = 0;            ///< of the block: the next one
  const std::byte* frame_ = nullptr;  ///< in a packed block: the next one
  std::uint32_t frames_left_ = 0;     ///< in the packed block
  std::uint32_t in_use_ = 0;
};

}  // namespace mcr
