// How much of what all outputs share one slow tx slot may hold. Pure.
//
// A socket whose send buffer is full keeps its messages waiting, and a zero-copy send keeps its
// buffers until the device is done with them: either may take seconds (a silent neighbour, a slow
// queue). Meanwhile the others must find messages and receive buffers.
#pragma once

#include <array>
#include <cstdint>

#include "mcr/dataplane/buffers.hpp"

namespace mcr {

/// Which receive buffers zero-copy sends hold. Copies of one frame hold the same.
class Pins {
 public:
  void add(std::uint16_t buffer) noexcept {
    if (holders_[buffer]++ == 0) ++buffers_;
  }
  void remove(std::uint16_t buffer) noexcept {
    if (--holders_[buffer] == 0) --buffers_;
  }
  [[nodiscard]] std::uint32_t buffers() const noexcept { return buffers_; }

 private:
  std::array<std::uint16_t, Buffers::most> holders_;
  std::uint32_t buffers_;
};

/// The rest that is left for all.
struct Stock {
  std::uint32_t messages_free;
  std::uint32_t messages;
  std::uint32_t buffers_available;
  std::uint32_t buffers;
  bool copies;  ///< Buffers::has_copies()
};

namespace quota {

/// Receive buffers that one blocked slot may hold, by messages that wait and by pins.
inline constexpr std::uint32_t held_by_slot = 256;

/// True if so few messages are left that nobody may keep one for long.
[[nodiscard]] constexpr bool messages_are_short(const Stock& stock) noexcept {
  return stock.messages_free < stock.messages / 4;
}

/// True if a blocked slot that holds so many buffers must queue nothing more.
[[nodiscard]] constexpr bool blocked_slot_is_full(const Stock& stock, std::uint32_t held) noexcept {
  return held >= held_by_slot || !stock.copies || stock.buffers_available < stock.buffers / 4 ||
         messages_are_short(stock);
}

/// True if a message with so many more pieces may be pinned. While half of the buffers are
/// available all may: many outputs of one frame pin the same ones.
[[nodiscard]] constexpr bool may_pin(const Stock& stock, std::uint32_t by_slot,
                                     std::uint32_t by_all, std::uint32_t more) noexcept {
  if (messages_are_short(stock)) return false;
  if (stock.buffers_available >= stock.buffers / 2) return true;
  return by_slot + more <= stock.buffers / 2 && by_all + more <= stock.buffers * 3 / 4;
}

}  // namespace quota

}  // namespace mcr
