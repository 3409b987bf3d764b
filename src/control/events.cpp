#include "mcr/control/events.hpp"

#include <utility>

namespace mcr {

void EventRing::add(Event event) {
  event.id = next_++;
  if (events_.size() == capacity_) events_.pop_front();
  events_.push_back(std::move(event));
}

/// An id that is not given out yet is of a relay whose clock was ahead: its reader begins anew, as
/// one without a past does.
std::optional<Event> EventRing::after(std::uint64_t seen) const {
  if (seen == 0 || seen >= next_) seen = first_ - 1;
  if (seen + 1 == next_) return std::nullopt;
  const auto oldest = next_ - events_.size();
  if (seen + 1 >= oldest) return events_[static_cast<std::size_t>(seen + 1 - oldest)];
  const bool of_this_run = seen + 1 >= first_;
  return Event{.id = oldest - 1,
               .time = events_.front().time,
               .kind = EventKind::gap,
               .missed = of_this_run ? oldest - 1 - seen : 0};
}

}  // namespace mcr
