// The number that a datagram of a merged stream bears, by which its copies are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/config/redundancy.hpp"
#include "mcr/stream/sequence_tracker.hpp"

namespace mcr::redundancy {

struct Bearing {
  std::uint32_t id = 0;      ///< SSRC, or a digest of the session
  std::uint32_t digest = 0;  ///< of length, begin and end: copies have the same
  std::uint64_t number = 0;
  std::uint64_t step = 1;  ///< numbers that it takes; 0: none (a heartbeat)
};

/// Nothing: it bears no number. Not for Merge::By::content.
[[nodiscard]] std::optional<Bearing> read_bearing(const Merge& merge,
                                                  std::span<const std::byte> datagram) noexcept;

/// The numbers of such a stream.
[[nodiscard]] stream::NumberSpace number_space(const Merge& merge) noexcept;

/// A digest of all of the datagram, 64 bits.
[[nodiscard]] std::uint64_t digest_of_all(std::span<const std::byte> datagram) noexcept;

}  // namespace mcr::redundancy
