#include "mcr/redundancy/legs.hpp"

#include <chrono>

namespace mcr::redundancy {

Legs::Legs(const std::optional<Merge>& merge) {
  if (!merge) return;
  if (merge->by == Merge::By::content)
    by_content_.emplace(shared_->legs);
  else
    by_number_.emplace(*merge, shared_->legs, shared_->counts);
  if (merge->order != Merge::Order::sequence) return;
  sequencer_.emplace(*merge, shared_->counts);
  set_waiting(*merge);
}

/// The window also bounds how long a new run of the sender waits for the end of the old one.
void Legs::set_waiting(const Merge& merge) noexcept {
  if (!sequencer_) return;
  sequencer_->set(merge);
  by_number_->set_overlap(
      static_cast<std::uint64_t>(std::chrono::nanoseconds(merge.window).count()));
}

std::optional<InputDrop> Legs::decide(std::size_t leg, std::span<const std::byte> datagram,
                                      std::uint64_t now_ns) noexcept {
  if (by_number_)
    return by_number_->judge(leg, datagram, now_ns, sequencer_ ? sequencer_->next() : 0);
  if (by_content_) return by_content_->judge(leg, datagram, now_ns);
  return leg == on_air() ? std::nullopt : std::optional(InputDrop::standby);
}

std::optional<InputDrop> Legs::judge(std::size_t leg, std::span<const std::byte> datagram,
                                     std::uint64_t now_ns) noexcept {
  auto& counters = shared_->legs[leg];
  counters.received.add(1);
  counters.last_ns.set(now_ns);
  const auto drop = decide(leg, datagram, now_ns);
  if (!drop)
    counters.unique.add(1);
  else if (*drop == InputDrop::duplicate)
    counters.duplicates.add(1);
  else if (*drop == InputDrop::late)
    counters.late.add(1);
  else
    counters.standby.add(1);
  return drop;
}

}  // namespace mcr::redundancy
