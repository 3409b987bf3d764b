// Waiting. A datagram goes on at once if all before it has. Else it waits, and goes on
//   - when the last one before it has come: what follows a hole that is filled goes at once;
//   - `window` after it has come, at the latest. What is missing before it then is lost, and
//     dropped as late if it comes at all.
//
// So there is no delay while nothing is missing. With `pace` only the second line holds: each
// datagram waits for all of `window`.
//
// Whose time counts. A datagram that came after one with a higher number goes on before that one,
// and so never waits longer than it does. Only a datagram that leads (no higher number was there
// when it came) has a time of its own. These times grow with the numbers, so it is enough to watch
// one of them: that of the lowest datagram that leads. With `pace` this is what keeps the delay
// constant: what a slow path fills in leaves with its neighbours, not `window` after it has come.
//
// Bounded. What waits lies in slots by position, so it spans less than `most` numbers; its bytes
// lie in memory of the worker. Where either is full, what waits goes on early, in order.
#include "mcr/redundancy/sequencer.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace mcr::redundancy {

namespace {

constexpr std::uint64_t ns_of_us = 1000;

}  // namespace

Sequencer::Sequencer(const Merge& merge, MergeCounts& counts) : counts_(counts) {
  set(merge);
}

void Sequencer::set(const Merge& merge) noexcept {
  const auto us = static_cast<std::uint64_t>(merge.window.count());
  window_ns_.store(us * ns_of_us, std::memory_order_relaxed);
  pace_.store(merge.pace, std::memory_order_relaxed);
}

void Sequencer::hold(Waiting& waiting, std::uint64_t now_ns) noexcept {
  const auto position = waiting.place.begin;
  waiting.came_ns = now_ns;
  waiting.leads = waiting_ == 0 || position > highest_;
  if (waiting_ == 0) leader_ = &waiting;
  lowest_ = waiting_ == 0 ? position : std::min(lowest_, position);
  slot(position) = &waiting;
  taken_[position % most / word_bits] |= std::uint64_t{1} << position % word_bits;
  counts_.waiting.set(++waiting_);
  reach(waiting.place);
}

/// Something waits at `position` or after it.
std::uint64_t Sequencer::next_waiting(std::uint64_t position) const noexcept {
  for (;;) {
    const auto word = taken_[position % most / word_bits] >> position % word_bits;
    if (word != 0) return position + static_cast<unsigned>(std::countr_zero(word));
    position += word_bits - position % word_bits;
  }
}

Waiting* Sequencer::take() noexcept {
  auto* taken = std::exchange(slot(lowest_), nullptr);
  taken_[lowest_ % most / word_bits] &= ~(std::uint64_t{1} << lowest_ % word_bits);
  counts_.waiting.set(--waiting_);
  next_ = std::max(next_, taken->place.end);
  if (waiting_ == 0) {
    leader_ = nullptr;
    return taken;
  }
  lowest_ = next_waiting(lowest_ + 1);
  if (taken != leader_) return taken;
  auto position = lowest_;
  while (!slot(position)->leads)
    position = next_waiting(position + 1);
  leader_ = slot(position);
  return taken;
}

std::uint64_t Sequencer::due_ns() const noexcept {
  return leader_->came_ns + window_ns_.load(std::memory_order_relaxed);
}

Waiting* Sequencer::take_due(std::uint64_t now_ns) noexcept {
  return waiting_ != 0 && due_ns() <= now_ns ? take() : nullptr;
}

Waiting* Sequencer::take_before(const Place& place) noexcept {
  if (waiting_ == 0 || lowest_ >= place.begin) return nullptr;
  go_early();
  return take();
}

}  // namespace mcr::redundancy
