// A capture of one rule, as the workers see it: which datagrams it wants, and for each worker a
// ring that the worker fills and control empties. Made by control, published to the workers by an
// RcuPointer; while there is none they look at one pointer a frame.
#pragma once

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

/// The methods with a `worker` are that worker's.
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

  [[nodiscard]] std::deque<CaptureRing>& rings() const noexcept { return rings_; }
  /// Datagrams, by all workers.
  [[nodiscard]] std::uint64_t missed() const noexcept;

 private:
  void keep(std::size_t worker, CapturedDatagram datagram, std::span<const std::byte> header,
            std::span<const std::byte> payload, std::uint32_t segment) const noexcept;
  void keep_frame(std::size_t worker, CapturedDatagram datagram, const Frame& frame,
                  const Packet& packet) const noexcept;

  const CaptureWish wish_;
  mutable std::deque<CaptureRing> rings_;  ///< by worker
};

/// The captures that run.
using Captures = std::vector<std::shared_ptr<const Capture>>;

}  // namespace mcr
