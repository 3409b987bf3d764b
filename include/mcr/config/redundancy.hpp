// The keys `merge` and `failover` of a rule: what several inputs with the same feed are for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mcr/config/inspection.hpp"

namespace mcr {

/// Each datagram goes on once, whichever inputs bring it.
struct Merge {
  /// The property by which copies of one datagram are known.
  enum class By : std::uint8_t {
    rtp,        ///< by SSRC and sequence number
    moldudp64,  ///< by session and sequence number
    sequence,   ///< by a number at a fixed place
    content,    ///< by all of its bytes
  };

  /// The moment at which a datagram goes on.
  enum class Order : std::uint8_t {
    first,     ///< at once, when its first copy comes
    sequence,  ///< by number: after the ones before it have come, or `window` has passed
  };

  By by = By::rtp;
  NumberField numbers{};  ///< of By::sequence
  Order order = Order::first;
  // These are for Order::sequence.
  std::chrono::microseconds window = std::chrono::milliseconds(50);  ///< that a datagram may wait
  bool pace = false;  ///< each one waits for all of `window`

  /// The same stream in the same order: only the waiting may differ.
  [[nodiscard]] bool same_but_for_waiting(const Merge& other) const noexcept {
    return by == other.by && numbers == other.numbers && order == other.order;
  }

  friend bool operator==(const Merge&, const Merge&) = default;
};

/// One input goes on, and another one takes over when it fails.
struct Failover {
  /// Decides if a better input that is well again goes back on air.
  enum class Revert : std::uint8_t {
    automatic,  ///< the relay, once it was good for `hold`
    manual,     ///< `mcr switch RULE auto`
    never,      ///< nobody, until the input on air fails
  };

  std::chrono::microseconds after =
      std::chrono::milliseconds(300);                         ///< silent for so long: it failed
  std::chrono::microseconds hold = std::chrono::seconds(10);  ///< good for so long: well again
  Revert revert = Revert::automatic;
  std::chrono::microseconds min_stay = std::chrono::seconds(1);  ///< between two switches

  friend bool operator==(const Failover&, const Failover&) = default;
};

/// Rules with one of them receive by a lane: all of a rule's inputs on one worker, chosen by its
/// name. 1 to limits::lanes.
[[nodiscard]] std::uint8_t lane_of(std::string_view rule) noexcept;

}  // namespace mcr
