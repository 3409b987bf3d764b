#include "mcr/redundancy/by_content.hpp"

#include <algorithm>

#include "mcr/redundancy/numbers.hpp"

namespace mcr::redundancy {

/// Its own one, or else an old one of the same line, emptied.
ByContent::Cell& ByContent::cell_of(std::uint64_t digest, std::uint32_t now_us) noexcept {
  const auto tag = static_cast<std::uint32_t>(digest >> 32U) | 1U;
  auto& cells = lines_[digest % lines].cells;
  const auto age = [now_us](const Cell& cell) { return now_us - cell.time_us; };
  const auto own = std::ranges::find(cells, tag, &Cell::tag);
  if (own != cells.end() && age(*own) <= window_us) return *own;
  auto* cell = own != cells.end() ? &*own : nullptr;
  if (cell == nullptr)
    cell = &*std::ranges::max_element(cells, {}, [&](const Cell& each) {
      return each.tag == 0 ? std::uint64_t{1} << 32U : std::uint64_t{age(each)};
    });
  *cell = {tag, now_us, {}};
  return *cell;
}

std::optional<InputDrop> ByContent::judge(std::size_t leg, std::span<const std::byte> datagram,
                                          std::uint64_t now_ns) noexcept {
  constexpr std::uint64_t ns_of_us = 1000;
  constexpr std::uint8_t full = 255;
  const auto now_us = static_cast<std::uint32_t>(now_ns / ns_of_us);
  auto& cell = cell_of(digest_of_all(datagram), now_us);
  const auto most = *std::ranges::max_element(cell.times);
  if (most == full)
    for (auto& times : cell.times)
      times = static_cast<std::uint8_t>(times - std::min<std::uint8_t>(times, full / 2));
  const auto gone = *std::ranges::max_element(cell.times);
  if (++cell.times[leg] <= gone) {
    counters_[leg].skew.add(now_us - cell.time_us, now_ns);
    return InputDrop::duplicate;
  }
  cell.time_us = now_us;
  counters_[leg].skew.add(0, now_ns);
  return {};
}

}  // namespace mcr::redundancy
