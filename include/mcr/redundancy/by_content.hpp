// Merging by content: of datagrams with the same bytes as many go on as the leg with most of them
// brings. For streams without numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mcr/base/mapping.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/redundancy/leg.hpp"

namespace mcr::redundancy {

/// One rule's. The worker of the rule's lane calls judge(). 512 KiB: of more than 32,768 different
/// datagrams a second some are forgotten too soon, and then go on twice.
///
/// If a leg brings the same bytes twice, the sender is taken to have sent them twice. So what a leg
/// brings for the n-th time goes on if no other leg has brought it n times in the last second.
class ByContent {
 public:
  static constexpr std::uint64_t window_us = 1'000'000;  ///< so much later copies may come

  /// `legs` outlives it. Throws OsError.
  explicit ByContent(std::span<Leg, limits::legs> legs) : counters_(legs) {}

  /// Nothing: it goes on. `now_ns`: CLOCK_MONOTONIC.
  [[nodiscard]] std::optional<InputDrop> judge(std::size_t leg, std::span<const std::byte> datagram,
                                               std::uint64_t now_ns) noexcept;

 private:
  /// A content that is remembered. Valid as all zeroes.
  struct Cell {
    std::uint32_t tag;                             ///< 0: unused
    std::uint32_t time_us;                         ///< when it last went on
    std::array<std::uint8_t, limits::legs> times;  ///< that each leg has said it
  };
  static constexpr std::size_t ways = 4;  ///< a cache line
  static constexpr std::size_t lines = 8192;
  struct alignas(64) Line {
    std::array<Cell, ways> cells;
  };
  static_assert(sizeof(Line) == 64);

  [[nodiscard]] Cell& cell_of(std::uint64_t digest, std::uint32_t now_us) noexcept;

  std::span<Leg, limits::legs> counters_;
  Mapping<Line> lines_{lines};
};

}  // namespace mcr::redundancy
