// Datagrams on their way from a worker to control, for a capture. A ring with one writer and one
// reader; full, it keeps nothing more, and what it misses is counted.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "mcr/base/counter.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/packet/captured_datagram.hpp"

namespace mcr {

class CaptureRing {
 public:
  static constexpr std::size_t capacity = std::size_t{8} << 20U;  ///< bytes; a power of two
  static_assert(std::has_single_bit(capacity));

  /// Throws OsError.
  CaptureRing() : memory_(capacity) {}

  /// The writer's.
  void put(const CapturedDatagram& datagram, std::span<const std::byte> header,
           std::span<const std::byte> payload) noexcept {
    const auto size = capture_record::bytes(header, payload);
    const auto written = written_.load(std::memory_order_relaxed);
    const auto room_to_end = capacity - written % capacity;
    const auto skipped = size > room_to_end ? room_to_end : 0;
    if (written - read_.load(std::memory_order_acquire) + skipped + size > capacity)
      return missed_.add(1);
    if (skipped != 0) std::memset(&memory_[written % capacity], 0, sizeof datagram.record);
    capture_record::write(&memory_[(written + skipped) % capacity], datagram, header, payload);
    written_.store(written + skipped + size, std::memory_order_release);
  }

  /// The reader's: calls use(datagram, header, payload) for the oldest one; false: there is none.
  template <typename Use>
  bool take(Use&& use) {
    auto read = read_.load(std::memory_order_relaxed);
    if (read == written_.load(std::memory_order_acquire)) return false;
    if (capture_record::size_at(&memory_[read % capacity]) == 0) read += capacity - read % capacity;
    const auto* from = &memory_[read % capacity];
    capture_record::read(from, use);
    read_.store(read + capture_record::size_at(from), std::memory_order_release);
    return true;
  }

  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.get(); }

 private:
  Mapping<std::byte> memory_;
  alignas(64) std::atomic<std::uint64_t> written_{0};  ///< bytes, all in all
  alignas(64) std::atomic<std::uint64_t> read_{0};
  alignas(64) Counter missed_;
};

}  // namespace mcr
