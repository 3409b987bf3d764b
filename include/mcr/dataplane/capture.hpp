// A capture of one rule, as the workers see it: which datagrams it wants, and for each worker a
// ring that the worker fills and control empties. Made by control, published to the workers by an
// RcuPointer; while there is none they look at one pointer a frame.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mcr/dataplane/capture_ring.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/rules/past.hpp"

namespace mcr {

/// The datagrams that a capture keeps.
struct CaptureWish {
  static constexpr std::uint32_t whole = 262'144;

  std::uint32_t rule = 0;                ///< its slot
  std::vector<std::uint32_t> outputs{};  ///< their slots, sorted
  bool in = false;
  bool out = false;
  bool drops = false;          ///< of the rule and of its outputs
  std::uint32_t snap = whole;  ///< bytes of each datagram with its headers, at most
  std::uint64_t since_ns =
      0;  ///< CLOCK_REALTIME; not 0: also what is in the rule's past since then
};

/// A copy that has left, or has not.
struct Copy {
  std::uint32_t output = 0;  ///< slot
  std::uint16_t tx_slot = 0;
  Endpoint source{};  ///< a port of 0: that of the tx slot's socket
  Endpoint destination{};
  std::uint8_t ttl = 0;  ///< 0: the system's
  std::uint8_t traffic_class = 0;
};

/// Keeps the datagrams of a frame in the rule's past. That worker's.
void keep_in(PastRing& ring, std::uint32_t rule, const Frame& frame, const Packet& packet) noexcept;

/// The methods with a `worker` are that worker's.
///
/// A capture that looks back takes over from the rule's past: a worker that has seen it writes
/// nothing into the past until control has read it. So what comes is in one of the two, never in
/// both.
class Capture {
 public:
  /// Throws OsError.
  Capture(CaptureWish wish, std::size_t workers);

  [[nodiscard]] const CaptureWish& wish() const noexcept { return wish_; }

  void received(std::size_t worker, std::uint32_t rule, const Frame& frame,
                const Packet& packet) const noexcept;
  void dropped(std::size_t worker, std::uint32_t rule, const Frame& frame, const Packet& packet,
               InputDrop reason) const noexcept;
  /// `segment`: bytes of each datagram in `payload`; the last one may be shorter. Nothing: it was
  /// sent.
  void copied(std::size_t worker, const Copy& copy, std::span<const std::byte> payload,
              std::uint32_t segment, std::optional<OutputDrop> reason) const noexcept;

  /// The past of this rule is not to be written.
  [[nodiscard]] bool reads_past(std::uint32_t rule) const noexcept {
    return rule == wish_.rule && reads_past_.load(std::memory_order_acquire);
  }
  /// Control's: it may be again.
  void past_is_read() const noexcept { reads_past_.store(false, std::memory_order_release); }

  [[nodiscard]] std::deque<CaptureRing>& rings() const noexcept { return rings_; }
  /// Datagrams, by all workers.
  [[nodiscard]] std::uint64_t missed() const noexcept;

 private:
  void keep_frame(std::size_t worker, const CapturedDatagram& datagram, const Frame& frame,
                  const Packet& packet) const noexcept;

  const CaptureWish wish_;
  mutable std::atomic<bool> reads_past_{wish_.since_ns != 0};
  mutable std::deque<CaptureRing> rings_;  ///< by worker
};

/// The captures that run.
using Captures = std::vector<std::shared_ptr<const Capture>>;

}  // namespace mcr
