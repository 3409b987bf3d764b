// Datagrams on their way from a worker to control, for a capture. A ring with one writer and one
// reader; full, it keeps nothing more, and what it misses is counted.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "mcr/base/address.hpp"
#include "mcr/base/counter.hpp"
#include "mcr/base/mapping.hpp"

namespace mcr {

/// A datagram in the ring. Behind it stand `frame_header` and `payload` bytes.
struct CapturedDatagram {
  enum class What : std::uint8_t { received, input_drop, sent, output_drop };

  std::uint32_t record = 0;  ///< bytes of it and what stands behind it; the ring's
  What what = What::received;
  std::uint8_t reason = 0;  ///< an InputDrop or an OutputDrop
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  std::uint16_t socket = 0;  ///< rx slot of what was received; tx slot of a copy
  /// Bytes of the frame before the payload; 0: it has none, and is told by its endpoints.
  std::uint16_t frame_header = 0;
  std::uint32_t slot = 0;      ///< of the rule, or of the output
  std::uint32_t payload = 0;   ///< bytes
  std::uint32_t original = 0;  ///< bytes of payload that there were
  bool fit = false;           ///< the frame's header is that of several datagrams, or is unfinished
  std::uint64_t time_ns = 0;  ///< CLOCK_REALTIME
  Endpoint source{};
  Endpoint destination{};
};
static_assert(std::is_trivially_copyable_v<CapturedDatagram>);

class CaptureRing {
 public:
  static constexpr std::size_t capacity = std::size_t{8} << 20U;  ///< bytes; a power of two
  static_assert(std::has_single_bit(capacity));

  /// Throws OsError.
  CaptureRing() : memory_(capacity) {}

  /// The writer's.
  void put(CapturedDatagram datagram, std::span<const std::byte> header,
           std::span<const std::byte> payload) noexcept {
    const auto size = (sizeof datagram + header.size() + payload.size() + 7) / 8 * 8;
    const auto written = written_.load(std::memory_order_relaxed);
    const auto room_to_end = capacity - written % capacity;
    const auto skipped = size > room_to_end ? room_to_end : 0;
    if (written - read_.load(std::memory_order_acquire) + skipped + size > capacity)
      return missed_.add(1);
    if (skipped != 0) std::memset(&memory_[written % capacity], 0, sizeof datagram.record);
    datagram.record = static_cast<std::uint32_t>(size);
    auto* to = &memory_[(written + skipped) % capacity];
    std::memcpy(to, &datagram, sizeof datagram);
    to += sizeof datagram;
    if (!header.empty()) std::memcpy(to, header.data(), header.size());
    if (!payload.empty()) std::memcpy(to + header.size(), payload.data(), payload.size());
    written_.store(written + skipped + size, std::memory_order_release);
  }

  /// The reader's: calls use(datagram, header, payload) for the oldest one; false: there is none.
  template <typename Use>
  bool take(Use&& use) {
    auto read = read_.load(std::memory_order_relaxed);
    if (read == written_.load(std::memory_order_acquire)) return false;
    CapturedDatagram datagram;
    std::memcpy(&datagram.record, &memory_[read % capacity], sizeof datagram.record);
    if (datagram.record == 0) read += capacity - read % capacity;
    const auto* from = &memory_[read % capacity];
    std::memcpy(&datagram, from, sizeof datagram);
    const std::span header(from + sizeof datagram, datagram.frame_header);
    use(datagram, header,
        std::span<const std::byte>(header.data() + header.size(), datagram.payload));
    read_.store(read + datagram.record, std::memory_order_release);
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
