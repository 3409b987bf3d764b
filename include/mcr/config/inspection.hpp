// The key `inspect` of a rule: what to look for in the streams of its inputs.
#pragma once

#include <cstdint>

namespace mcr {

/// The place of the number in a datagram of a numbered feed: { offset = 10, bytes = 8, order =
/// "big", step = { ... } }.
struct NumberField {
  std::uint16_t offset = 0;  ///< bytes from the begin of the payload
  std::uint8_t bytes = 0;    ///< 1, 2, 4 or 8
  bool little_endian = false;
  std::uint16_t step_offset = 0;  ///< of how many numbers a datagram takes
  std::uint8_t step_bytes = 0;    ///< 1, 2 or 4; 0: each datagram takes one

  friend bool operator==(const NumberField&, const NumberField&) = default;
};

struct Inspection {
  enum class Kind : std::uint8_t { automatic, rtp, ts, moldudp64, sequence };

  Kind kind = Kind::automatic;
  NumberField numbers{};  ///< of `sequence`

  friend bool operator==(const Inspection&, const Inspection&) = default;
};

}  // namespace mcr
