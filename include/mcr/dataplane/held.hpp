// Datagrams that wait before they go to an output: rules/carriers.hpp says why. Worker thread only;
// nothing here allocates.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "mcr/packet/parse.hpp"

namespace mcr {

/// One datagram for one output. Names a rule and an output by the slots of their counters, since it
/// may outlive the table.
struct HeldDatagram {
  Packet packet;
  std::uint64_t payload_hash = 0;
  std::uint64_t came_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t due_ns = 0;
  std::uint32_t rule = 0;
  std::uint32_t output = 0;
  std::uint16_t rx_slot = 0;
  std::uint16_t buffer = 0;  ///< that has the payload; one reference
  bool probe = false;        ///< held to see if it comes back: others may overtake it
};

class Held {
 public:
  static constexpr std::size_t most = 64;

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == most; }
  [[nodiscard]] bool has(std::uint32_t output) const noexcept {
    return std::ranges::any_of(held(), [output](const HeldDatagram& each) {
      return each.output == output && !each.probe;
    });
  }
  /// The time at which the first is due; the largest number if none waits.
  [[nodiscard]] std::uint64_t next_due() const noexcept {
    auto due = std::numeric_limits<std::uint64_t>::max();
    for (const auto& each : held())
      due = std::min(due, each.due_ns);
    return due;
  }

  /// Call it only while not full(). The datagram goes behind those that wait for the same output.
  void push(const HeldDatagram& datagram) noexcept {
    auto due = datagram.due_ns;
    for (const auto& each : held())
      if (each.output == datagram.output && !each.probe) due = std::max(due, each.due_ns);
    held_[count_] = datagram;
    held_[count_++].due_ns = due;
  }
  /// Gives the oldest. Call it only if there is one.
  HeldDatagram pop() noexcept { return take(0); }
  /// Gives those that are due to `give`, in the order in which they came. It may not push().
  template <typename Give>
  void pop_due(std::uint64_t now_ns, Give&& give) noexcept {
    for (std::size_t at = 0; at < count_;)
      if (held_[at].due_ns <= now_ns)
        give(take(at));
      else
        ++at;
  }

 private:
  [[nodiscard]] std::span<const HeldDatagram> held() const noexcept {
    return std::span(held_).first(count_);
  }
  HeldDatagram take(std::size_t at) noexcept {
    const auto taken = held_[at];
    std::copy(held_.begin() + static_cast<std::ptrdiff_t>(at + 1),
              held_.begin() + static_cast<std::ptrdiff_t>(count_),
              held_.begin() + static_cast<std::ptrdiff_t>(at));
    --count_;
    return taken;
  }

  std::array<HeldDatagram, most> held_{};
  std::size_t count_ = 0;
};

}  // namespace mcr
