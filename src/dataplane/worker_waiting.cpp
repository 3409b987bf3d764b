// A worker's datagrams that wait for others (redundancy/sequencer.cpp): what goes on at once, what
// is put into the waiting room, and when that is let go.
//
// Time. expected_ is a heap of legs by when the first of what waits is due. These times only grow
// while they stand in it, so its first one is never too late; if it is too early, the legs are put
// back with their new time. The worker sleeps no longer than until then. Frames that have come by
// then are forwarded first: so what fills a hole is in time, even if the worker was late.
//
// A reload. What waits stays with its legs, and leaves by the table that is valid when it leaves.
// Legs that this table does not have are freed only after this worker has forgotten them
// (Legs::expected()).
#include <algorithm>
#include <functional>

#include "mcr/dataplane/worker.hpp"

namespace mcr {

namespace {

constexpr auto later = [](const auto& one, const auto& other) { return one.due_ns > other.due_ns; };

}  // namespace

/// Like deliver_in_part(), for rules with order = "sequence".
std::uint32_t Worker::deliver_in_order(const TableEntry& entry, const Frame& frame,
                                       const Packet& packet, const RuleTable& table) noexcept {
  auto& legs = table.legs(entry);
  auto& sequencer = *legs.sequencer();
  std::uint32_t passed = 0;
  std::uint32_t begin = 0;  // of the datagrams that share a fate
  std::optional<InputDrop> fate;
  const auto settle_to = [&](std::uint32_t end) {
    if (end != begin) passed += settle(entry, frame, packet.part(begin, end - begin), fate, table);
    begin = end;
  };
  auto rest = packet.payload;
  for (std::uint32_t n = 0; n < packet.datagrams; ++n) {
    const auto datagram = rest.first(std::min<std::size_t>(packet.segment, rest.size()));
    rest = rest.subspan(datagram.size());
    auto next = legs.judge(entry.leg, datagram, now_ns_);
    const bool goes_on = !next;
    const auto& place = legs.place();
    const bool numbered = goes_on && place.begin != place.end;
    if (numbered && !sequencer.is_next(place)) {
      settle_to(n);
      if (wait_for_turn(entry, packet.part(n, 1), table)) {
        begin = n + 1;
        continue;
      }
    }
    if (standby_ && goes_on) next = InputDrop::standby;
    if (next != fate) settle_to(n);
    fate = next;
    if (!numbered) continue;
    sequencer.pass(place);
    if (!sequencer.has_ready()) continue;
    settle_to(n + 1);
    while (auto* ready = sequencer.take_ready())
      release(entry, *ready, table);
  }
  settle_to(packet.datagrams);
  return passed;
}

/// False: there is no room for it. All before it has gone on, and the caller lets it go on, too.
bool Worker::wait_for_turn(const TableEntry& entry, const Packet& datagram,
                           const RuleTable& table) noexcept {
  auto& legs = table.legs(entry);
  auto& sequencer = *legs.sequencer();
  const auto place = legs.place();
  auto* waiting = sequencer.has_room_for(place) ? waiting_room_.put(datagram) : nullptr;
  if (waiting == nullptr) {
    while (auto* before = sequencer.take_before(place))
      release(entry, *before, table);
    sequencer.go_early();
    return false;
  }
  waiting->place = place;
  sequencer.hold(*waiting, now_ns_);
  if (!legs.expected()) expect(entry.legs, legs);
  return true;
}

/// Lets a datagram go on that has waited. It lies in the waiting room, not in the caller's frame.
void Worker::release(const TableEntry& entry, redundancy::Waiting& waiting,
                     const RuleTable& table) noexcept {
  auto& counters = counters_->worker;
  if (entry.legs == 0) {
    counters.unmatched.add(1);  // its rule does not run any more
  } else {
    Frame frame;
    frame.slot = entry.rx_slot;
    frame.buffer = waiting.buffer;
    frame.bytes = waiting.packet.payload;
    const auto fate = standby_ ? std::optional(InputDrop::standby) : std::nullopt;
    counters.matched.add(settle(entry, frame, waiting.packet, fate, table));
  }
  buffers_.release(waiting.buffer);
}

void Worker::expect(std::uint32_t legs, redundancy::Legs& of) noexcept {
  of.set_expected(true);
  expected_.push_back({of.sequencer()->due_ns(), legs, &of});
  std::ranges::push_heap(expected_, later);
}

void Worker::release_due(const RuleTable& table) noexcept {
  while (!expected_.empty() && expected_.front().due_ns <= now_ns_) {
    std::ranges::pop_heap(expected_, later);
    const auto [due_ns, number, legs] = expected_.back();
    expected_.pop_back();
    auto& sequencer = *legs->sequencer();
    while (auto* due = sequencer.take_due(now_ns_))
      release(table.entry_of_legs(number), *due, table);
    while (auto* ready = sequencer.take_ready())
      release(table.entry_of_legs(number), *ready, table);
    if (sequencer.empty())
      legs->set_expected(false);
    else
      expect(number, *legs);
  }
}

/// At a stop: sends in order all that waits.
void Worker::release_all(const RuleTable& table) noexcept {
  for (const auto& [due_ns, number, legs] : expected_) {
    while (auto* waiting = legs->sequencer()->take_any())
      release(table.entry_of_legs(number), *waiting, table);
    legs->set_expected(false);
  }
  expected_.clear();
}

/// Finds the expected legs in another table.
void Worker::find_expected(const RuleTable& table) noexcept {
  if (expected_.empty()) return;
  std::ranges::sort(expected_, std::less<>(), &Expected::legs);
  for (auto& expected : expected_)
    expected.number = 0;
  for (std::uint32_t number = 1; number <= table.legs_count(); ++number) {
    const auto at =
        std::ranges::lower_bound(expected_, table.legs_at(number), std::less<>(), &Expected::legs);
    if (at != expected_.end() && at->legs == table.legs_at(number)) at->number = number;
  }
  std::erase_if(expected_, [this](const Expected& expected) {
    if (expected.number != 0) return false;
    forget(*expected.legs);
    return true;
  });
  std::ranges::make_heap(expected_, later);
}

/// Drops what waits at legs that are in no table any more.
void Worker::forget(redundancy::Legs& legs) noexcept {
  while (auto* waiting = legs.sequencer()->take_any()) {
    counters_->worker.unmatched.add(1);
    buffers_.release(waiting->buffer);
  }
  legs.set_expected(false);
}

}  // namespace mcr
