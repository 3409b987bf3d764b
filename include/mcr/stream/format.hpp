// The formats of streams that inspection knows: what to look for, and what was found.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mcr::stream {

/// The place of the number in a datagram of a numbered feed, in bytes from the start of the
/// payload.
struct SequenceField {
  std::uint16_t offset = 0;
  std::uint8_t bytes = 0;  ///< 1, 2, 4 or 8
  bool little_endian = false;
  /// A field with the numbers that one datagram takes; `step_bytes` 0: each takes one.
  std::uint16_t step_offset = 0;
  std::uint8_t step_bytes = 0;  ///< 0, 1, 2 or 4; of the same byte order

  friend bool operator==(const SequenceField&, const SequenceField&) noexcept = default;
};

/// The kind of a stream.
enum class Kind : std::uint8_t { unknown, rtp, rtp_ts, ts, moldudp64, sequence };

inline constexpr std::array<std::string_view, 6> kind_names{"unknown", "rtp",       "rtp+ts",
                                                            "ts",      "moldudp64", "sequence"};
[[nodiscard]] constexpr std::string_view name_of(Kind kind) noexcept {
  return kind_names[static_cast<std::size_t>(kind)];
}
[[nodiscard]] constexpr bool has_rtp(Kind kind) noexcept {
  return kind == Kind::rtp || kind == Kind::rtp_ts;
}
[[nodiscard]] constexpr bool has_ts(Kind kind) noexcept {
  return kind == Kind::ts || kind == Kind::rtp_ts;
}
/// Datagrams bear numbers: losses can be told.
[[nodiscard]] constexpr bool has_numbers(Kind kind) noexcept {
  return kind != Kind::unknown && kind != Kind::ts;
}

/// The format that the user asks to be looked for. `automatic` recognises all but `sequence`.
struct Format {
  enum class Wanted : std::uint8_t { automatic, rtp, ts, moldudp64, sequence };

  Wanted wanted = Wanted::automatic;
  SequenceField field{};  ///< of `sequence`

  friend bool operator==(const Format&, const Format&) noexcept = default;
};

}  // namespace mcr::stream
