#include "mcr/stream/sequence_tracker.hpp"

#include <algorithm>

namespace mcr::stream {

NumberSpace numbers_of(unsigned bytes) noexcept {
  switch (bytes) {
    case 1:
      return {0xFF, 100, 50};
    case 2:
      return rtp_numbers;
    case 4:
      return {0xFFFF'FFFF, 1U << 28U, SequenceTracker::window - 64};
    default:
      return {~std::uint64_t{0}, 1U << 28U, SequenceTracker::window - 64};
  }
}

void SequenceTracker::reset() noexcept {
  started_ = jumped_ = false;
  for (auto* counter : {&lost_, &reordered_, &duplicated_, &restarts_})
    counter->set(0);
}

void SequenceTracker::see_other(const NumberSpace& space, std::uint64_t number,
                                std::uint64_t step) noexcept {
  if (!started_) return start(space, number, step);
  const auto ahead = (number - next_) & space.mask;
  const auto behind = (next_ - number) & space.mask;
  if (ahead < space.max_dropout)
    advance(space, ahead, step);
  else if (step != 0 && behind <= space.max_misorder)
    late(space, behind, number, step);
  else if (step != 0)
    jump(space, number, step);
}

void SequenceTracker::start(const NumberSpace& space, std::uint64_t number,
                            std::uint64_t step) noexcept {
  started_ = true;
  jumped_ = false;
  seen_ = {};
  next_ = number;
  extent_ = 0;
  advance(space, 0, step);
}

/// Moves the window on over what is missing and what came. A number's word is cleared on entering
/// it, so at most `window` numbers need a look.
void SequenceTracker::advance(const NumberSpace& space, std::uint64_t ahead,
                              std::uint64_t step) noexcept {
  if (jumped_) stray();
  lost_.add(ahead);
  const auto moved = ahead + step;
  const auto end = next_ + moved;
  for (auto number = end - std::min(moved, window); number != end; ++number) {
    const auto at = number & space.mask;
    if (number - next_ >= ahead)
      seen_[at / 64 % seen_.size()] |= std::uint64_t{1} << at % 64;
    else
      seen_[at / 64 % seen_.size()] &= ~(std::uint64_t{1} << at % 64);
    clear_on_entry((number + 1) & space.mask);
  }
  next_ = end & space.mask;
  extent_ += moved;
}

/// True if the number is missing so far; it counts as seen from now on.
bool SequenceTracker::take(std::uint64_t number) noexcept {
  auto& word = seen_[number / 64 % seen_.size()];
  const auto bit = std::uint64_t{1} << number % 64;
  const bool missing = (word & bit) == 0;
  word |= bit;
  return missing;
}

/// All that it bears lies behind: what is missing of it is found again.
void SequenceTracker::late(const NumberSpace& space, std::uint64_t behind, std::uint64_t number,
                           std::uint64_t step) noexcept {
  if (jumped_) stray();
  if (behind > extent_) return reordered_.add(1);  // from before we joined
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < std::min(step, behind); ++i)
    if (take((number + i) & space.mask)) ++found;
  if (found == 0) return duplicated_.add(1);
  reordered_.add(1);
  lost_.add(0 - found);
}

void SequenceTracker::jump(const NumberSpace& space, std::uint64_t number,
                           std::uint64_t step) noexcept {
  if (jumped_ && number == jumped_to_) {
    restarts_.add(1);
    const auto first = jumped_from_;
    return start(space, first, ((number - first) & space.mask) + step);
  }
  if (jumped_) stray();
  jumped_ = true;
  jumped_from_ = number;
  jumped_to_ = (number + step) & space.mask;
}

/// The number that did not fit was not confirmed.
void SequenceTracker::stray() noexcept {
  jumped_ = false;
  reordered_.add(1);
}

}  // namespace mcr::stream
