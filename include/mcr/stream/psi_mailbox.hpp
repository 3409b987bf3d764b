// TS packets that bear tables, on their way from the thread that receives to the one that reads
// tables.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/base/counter.hpp"

namespace mcr::stream {

inline constexpr std::size_t ts_packet_bytes = 188;

/// A ring with one writer and one reader. Full: the packet is not kept, and counts as missed.
/// Valid as all zeroes.
class PsiMailbox {
 public:
  static constexpr std::uint32_t capacity = 128;  ///< packets; a power of two
  using Packet = std::array<std::byte, ts_packet_bytes>;

  /// The writer's.
  void put(std::span<const std::byte, ts_packet_bytes> packet) noexcept {
    const auto written = written_.load(std::memory_order_relaxed);
    if (written - read_.load(std::memory_order_acquire) >= capacity) return missed_.add(1);
    std::copy(packet.begin(), packet.end(), packets_[written % capacity].begin());
    written_.store(written + 1, std::memory_order_release);
  }

  /// The reader's: calls `use(packet)` for each that waits, oldest first.
  template <typename Use>
  void take_all(Use use) {
    auto read = read_.load(std::memory_order_relaxed);
    for (const auto end = written_.load(std::memory_order_acquire); read != end; ++read) {
      use(std::span<const std::byte, ts_packet_bytes>(packets_[read % capacity]));
      read_.store(read + 1, std::memory_order_release);
    }
  }

  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.get(); }

 private:
  std::atomic<std::uint32_t> written_{0};
  std::atomic<std::uint32_t> read_{0};
  Counter missed_;
  std::array<Packet, capacity> packets_;
};

}  // namespace mcr::stream
