// Places. Numbers wrap and begin anew; places only grow. A run's head is the
// place after its highest number so far, and a number's place is the one
// nearest to it, or to where its own leg is, which knows better where a leg
// lags by more than half of all numbers. A run of the sender that begins anew
// begins at a place far above, so a cell, found by place modulo memory, is
// never mistaken for one of another run or another lap: its tag tells.
//
// Fitting. A datagram fits if it has the stream's id (SSRC, session), and its
// place is less than ahead_ above the head and not more than behind_ below. If
// another content is known at its place, the way of its leg decides. Where the
// leg has come there step by step, the datagram fits, and shows that the leg is
// no copy. Where the leg has leapt there, or to a place before all that is
// known, its sender has begun anew, and the datagram does not fit.
//
// Whom to follow. A leg of the stream that brings what does not fit begins a
// new run, and both runs go on side by side: the other legs are still in the
// old one, and may bring what this leg lost of it. After `overlap` the run with
// more legs stays, the old one if both have as many. What other legs bring that
// fits no run is a candidate: such a leg stands by until more legs agree on its
// run than bring another one, those that were quiet for a second not counted.
// So:
//   one leg alone           is followed at once
//   restart of the sender   the first leg goes on at once, and the others as
//                           they come to it: neither run loses anything
//   the same stream again   begins anew if all legs were quiet for a second:
//                           its datagrams are no copies then, though known
//   a leg that turns to     goes on beside the others for `overlap`, and then
//     another stream        stands by
//   a foreign stream        stands by for good; it takes over when the others
//                           fall quiet
//
// In positions (Place) a run follows the one before. While that one may still
// grow there is a gap between them, so that in sequence the new run waits for
// it.
//
// No copies. Legs whose content differs under the same numbers would be mixed.
// From 100 such datagrams on (those that agree are subtracted) the leg that has
// brought less is only compared, and merged again after as many that agree.
#include "mcr/redundancy/by_number.hpp"

#include <algorithm>
#include <bit>

namespace mcr::redundancy {

namespace {

/// Numbers that a run may still grow by beside the next one.
constexpr std::uint64_t most_left = 4096;
constexpr std::uint64_t most_step = ByNumber::memory / 4;
constexpr unsigned time_shift = 15;
constexpr unsigned time_bits = 20;
constexpr unsigned digest_bits = 20;
constexpr std::uint64_t inside = (1U << digest_bits) - 1;  ///< a number within a datagram

constexpr std::uint64_t time_of(std::uint64_t now_ns) noexcept {
  return (now_ns >> time_shift) & ((1U << time_bits) - 1);
}

/// Never `inside`.
constexpr std::uint64_t digest_of(const Bearing& bearing) noexcept {
  return std::min<std::uint64_t>(bearing.digest >> (32U - digest_bits), inside - 1);
}

constexpr std::int64_t half_of(const stream::NumberSpace& space) noexcept {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(space.mask / 2 + 1, ByNumber::memory));
}

}  // namespace

ByNumber::ByNumber(const Merge& merge, std::span<Leg, limits::legs> legs, MergeCounts& counts)
    : merge_(merge),
      space_(number_space(merge)),
      unused_(static_cast<unsigned>(std::countl_zero(space_.mask))),
      behind_(half_of(space_)),
      ahead_(behind_ / 2),
      counters_(legs),
      counts_(counts) {}

inline std::int64_t ByNumber::distance(std::uint64_t from, std::uint64_t to) const noexcept {
  return static_cast<std::int64_t>((to - from) << unused_) >> unused_;
}

/// Guesses by the place that the leg has reached, or by the run's head if that
/// is the better guide.
inline std::uint64_t ByNumber::place_of(const Run& run, const LegState& from, std::uint64_t number,
                                        std::uint64_t now_ns) const noexcept {
  constexpr std::uint64_t most_ns = 100'000'000;
  auto base = run.head;
  const bool known = from.epoch == run.epoch && run.epoch != 0;
  if (known && now_ns - from.steady_ns < most_ns) base = from.next;
  const auto base_number = run.head_number - (run.head - base);
  return base + static_cast<std::uint64_t>(distance(base_number, number));
}

/// The leg has come to this place step by step. After a silence it takes no step back.
inline bool ByNumber::goes_on(const Run& run, const LegState& from, std::uint64_t place,
                              std::uint64_t now_ns) const noexcept {
  if (from.epoch != run.epoch || run.epoch == 0) return false;
  const auto step = static_cast<std::int64_t>(place - from.next);
  if (step < 0 && now_ns - from.last_ns >= quiet_ns) return false;
  return step < ahead_ && step >= -static_cast<std::int64_t>(space_.max_misorder);
}

/// fits(), where what is known of the place need not be asked.
inline bool ByNumber::surely_fits(const Run& run, const LegState& from, const Bearing& bearing,
                                  std::uint64_t place, std::uint64_t now_ns) const noexcept {
  const auto ahead = static_cast<std::int64_t>(place - run.head);
  return run.epoch != 0 && bearing.id == run.id && !from.out && ahead < ahead_ &&
         -ahead <= behind_ && (ahead >= 0 || goes_on(run, from, place, now_ns));
}

inline std::uint64_t ByNumber::tag_of(std::uint64_t place) noexcept {
  return 1 + place / memory % 0xFFFFU;
}

inline bool ByNumber::seen(std::uint64_t place) const noexcept {
  return cell_at(place).tag == tag_of(place);
}

/// The run that follows counts on from it.
inline void ByNumber::grow(Run& run, std::uint64_t numbers) noexcept {
  counts_.span.add(numbers);
  run.count += numbers;
  if (&run == &ending_) run_.count += numbers;
}

inline void ByNumber::advance(Run& run, std::uint64_t end) noexcept {
  grow(run, end - run.head);
  run.head_number += end - run.head;
  run.head = end;
}

/// Notes the place that the leg has reached, in numbers of the whole stream.
inline void ByNumber::note_reached(const Run& run, std::size_t leg, std::uint64_t place,
                                   std::uint64_t end) noexcept {
  auto& from = legs_[leg];
  auto& counters = counters_[leg];
  const auto count_to = [&run](std::uint64_t at) { return run.count - (run.head - at); };
  if (from.epoch == 0) counters.before.set(count_to(std::max(place, run.first)));
  if (from.epoch != run.epoch || end > from.next) from.next = end;
  from.epoch = run.epoch;
  counters.reached.set(count_to(std::min(from.next, run.head)));
}

[[gnu::always_inline]] inline void ByNumber::take_new(Run& run, std::size_t leg,
                                                      const Bearing& bearing, std::uint64_t place,
                                                      std::uint64_t now_ns) noexcept {
  const auto own = std::uint64_t{1} << leg;
  std::uint64_t fresh = 0;
  for (std::uint64_t at = place; at != place + bearing.step; ++at) {
    if (seen(at)) continue;
    cell_at(at) = {.tag = tag_of(at) & 0xFFFFU,
                   .legs = own & 0xFFU,
                   .digest = (at == place ? digest_of(bearing) : inside) & inside,
                   .time = time_of(now_ns) & ((1U << time_bits) - 1)};
    ++fresh;
  }
  counts_.numbers.add(fresh);
  counters_[leg].numbers.add(fresh);
  counters_[leg].skew.add(0, now_ns);
  leader_ = leg;
  led_ns_ = now_ns;
  const auto position = place - run.skipped;
  last_ = {position, position + bearing.step};
  if (place < run.first) {
    grow(run, run.first - place);
    run.first = place;
  }
  if (const auto end = place + bearing.step; static_cast<std::int64_t>(end - run.head) > 0)
    advance(run, end);
}

[[gnu::always_inline]] inline InputDrop ByNumber::take_copy(std::size_t leg, const Bearing& bearing,
                                                            Cell& cell,
                                                            std::uint64_t now_ns) noexcept {
  constexpr std::uint64_t ns_of_us = 1000;
  auto& from = legs_[leg];
  if (cell.digest != digest_of(bearing)) [[unlikely]]
    return mismatch(leg, cell);
  if (from.dissent != 0 && --from.dissent == 0 && from.out) {
    from.out = false;
    counters_[leg].aside.set(0);
  }
  const auto own = std::uint64_t{1} << leg;
  if ((cell.legs & own) == 0) {
    cell.legs = (cell.legs | own) & 0xFFU;
    counters_[leg].numbers.add(bearing.step);
    const auto skew = (time_of(now_ns) - cell.time) & ((1U << time_bits) - 1);
    counters_[leg].skew.add((skew << time_shift) / ns_of_us, now_ns);
  }
  return InputDrop::duplicate;
}

[[gnu::always_inline]] inline std::optional<InputDrop> ByNumber::take(
    Run& run, std::size_t leg, const Bearing& bearing, std::uint64_t place,
    std::uint64_t now_ns) noexcept {
  auto& from = legs_[leg];
  from.last_ns = from.steady_ns = now_ns;
  from.candidate.count = 0;
  std::optional<InputDrop> drop;
  if (seen(place))
    drop = take_copy(leg, bearing, cell_at(place), now_ns);
  else if (from.out)
    drop = InputDrop::standby;
  else if (place - run.skipped < settled_)
    drop = InputDrop::late;
  else
    take_new(run, leg, bearing, place, now_ns);
  note_reached(run, leg, place, place + bearing.step);
  return drop;
}

std::optional<InputDrop> ByNumber::judge(std::size_t leg, Datagram datagram, std::uint64_t now_ns,
                                         std::uint64_t settled) noexcept {
  settled_ = settled;
  const auto bearing = read_bearing(merge_, datagram);
  if (bearing && bearing->step - 1 < most_step && ending_.epoch == 0) [[likely]] {
    const auto place = place_of(run_, legs_[leg], bearing->number, now_ns);
    if (surely_fits(run_, legs_[leg], *bearing, place, now_ns)) [[likely]]
      return take(run_, leg, *bearing, place, now_ns);
  }
  return judge_other(leg, bearing, now_ns);
}

/// All that is rare.
[[gnu::cold]] std::optional<InputDrop> ByNumber::judge_other(std::size_t leg,
                                                             const std::optional<Bearing>& bearing,
                                                             std::uint64_t now_ns) noexcept {
  if (!bearing || bearing->step - 1 >= most_step) return unnumbered(leg, now_ns);
  if (ending_.epoch != 0) end_overlap(now_ns);
  auto* run = run_of(leg, *bearing, now_ns);
  if (run == nullptr) {
    if (is_late(run_, leg, *bearing, now_ns)) return InputDrop::late;
    if (!follow(leg, *bearing, now_ns)) return InputDrop::standby;
    run = &run_;
  }
  return take(*run, leg, *bearing, place_of(*run, legs_[leg], bearing->number, now_ns), now_ns);
}

/// The one that the datagram fits, first its leg's own one; null: none.
ByNumber::Run* ByNumber::run_of(std::size_t leg, const Bearing& bearing,
                                std::uint64_t now_ns) noexcept {
  if (ending_.epoch == 0) [[likely]]
    return fits(run_, leg, bearing, now_ns) ? &run_ : nullptr;
  const bool ends = legs_[leg].epoch == ending_.epoch;
  for (auto* run : {ends ? &ending_ : &run_, ends ? &run_ : &ending_})
    if (fits(*run, leg, bearing, now_ns)) return run;
  return nullptr;
}

/// It is not forgotten where the leg is: its numbers may be half a lap behind.
bool ByNumber::is_late(const Run& run, std::size_t leg, const Bearing& bearing,
                       std::uint64_t now_ns) noexcept {
  auto& from = legs_[leg];
  const auto place = place_of(run, from, bearing.number, now_ns);
  if (bearing.id != run.id || !goes_on(run, from, place, now_ns) || live_in(run, now_ns, leg) == 0)
    return false;
  from.next = std::max(from.next, place + bearing.step);
  from.steady_ns = now_ns;
  return true;
}

/// Heartbeats, RTCP, what is damaged: from the leg that leads, so that it goes
/// on once.
std::optional<InputDrop> ByNumber::unnumbered(std::size_t leg, std::uint64_t now_ns) noexcept {
  if (leg != leader_ && now_ns - led_ns_ < 3 * quiet_ns) return InputDrop::duplicate;
  leader_ = leg;
  led_ns_ = now_ns;
  last_ = {};
  return {};
}

bool ByNumber::fits(const Run& run, std::size_t leg, const Bearing& bearing,
                    std::uint64_t now_ns) const noexcept {
  const auto& from = legs_[leg];
  if (run.epoch == 0 || bearing.id != run.id) return false;
  if (from.out && live_in(run, now_ns, leg) == 0) return false;
  const auto place = place_of(run, from, bearing.number, now_ns);
  const auto ahead = static_cast<std::int64_t>(place - run.head);
  if (ahead >= ahead_ || -ahead > behind_) return false;
  if (ahead >= 0 || goes_on(run, from, place, now_ns)) return true;
  if (live_in(run, now_ns) == 0) return false;
  if (seen(place)) return cell_at(place).digest == digest_of(bearing);
  return place >= run.first || from.epoch != run.epoch;
}

bool ByNumber::is_live(const Run& run, std::size_t leg, std::uint64_t now_ns) const noexcept {
  const auto& state = legs_[leg];
  return state.epoch == run.epoch && run.epoch != 0 && !state.out &&
         now_ns - state.last_ns < quiet_ns;
}

std::size_t ByNumber::live_in(const Run& run, std::uint64_t now_ns,
                              std::size_t but) const noexcept {
  std::size_t live = 0;
  for (std::size_t leg = 0; leg < limits::legs; ++leg)
    if (leg != but && is_live(run, leg, now_ns)) ++live;
  return live;
}

bool ByNumber::same_run(const Candidate& candidate, const Bearing& bearing,
                        std::uint64_t now_ns) const noexcept {
  const auto apart = distance(candidate.number, bearing.number);
  return candidate.count != 0 && candidate.id == bearing.id && apart < ahead_ && -apart < behind_ &&
         now_ns - candidate.last_ns < quiet_ns;
}

/// True: from now on it fits run_.
bool ByNumber::follow(std::size_t leg, const Bearing& bearing, std::uint64_t now_ns) noexcept {
  auto& own = legs_[leg].candidate;
  const bool again = same_run(own, bearing, now_ns);
  own = {bearing.id, again ? own.count + 1 : 1, bearing.number, again ? own.since_ns : now_ns,
         now_ns};
  std::size_t agree = 1;
  std::size_t against = 0;
  for (std::size_t other = 0; other < limits::legs; ++other) {
    if (other == leg) continue;
    if (same_run(legs_[other].candidate, bearing, now_ns))
      ++agree;
    else if (is_live(run_, other, now_ns) || is_live(ending_, other, now_ns))
      ++against;
  }
  const bool member = ending_.epoch == 0 && is_live(run_, leg, now_ns);
  if (agree > against || member) {
    begin(bearing, against != 0, now_ns);
    return true;
  }
  if (own.count >= most_mismatches && now_ns - own.since_ns >= quiet_ns) {
    counts_.mismatches.add(1);
    counters_[leg].aside.set(1);
  }
  return false;
}

/// `beside`: other legs may still bring the run before.
void ByNumber::begin(const Bearing& bearing, bool beside, std::uint64_t now_ns) noexcept {
  const auto leap = distance(run_.head_number, bearing.number);
  const bool outage = !beside && run_.epoch != 0 && bearing.id == run_.id && leap > 0 &&
                      static_cast<std::uint64_t>(leap) < space_.max_dropout;
  if (outage) {
    advance(run_, run_.head + static_cast<std::uint64_t>(leap));
  } else {
    if (run_.epoch != 0) counts_.resets.add(1);
    ending_ = beside ? run_ : Run{};
    begun_ns_ = now_ns;
    run_.epoch = ++epochs_;
    run_.id = bearing.id;
    run_.skipped += epochs_ == 1 ? 0 : 2 * memory;
    run_.head += 2 * memory + (beside ? most_left : 0);
    run_.first = run_.head;
    run_.head_number = bearing.number;
  }
  for (auto& state : legs_) {
    state.candidate = {};
    state.out = false;
    state.dissent = 0;
  }
  for (auto& counters : counters_)
    counters.aside.set(0);
}

/// When both runs have gone on side by side for long enough the one with more
/// legs stays. The position of what follows is above all that has gone on.
void ByNumber::end_overlap(std::uint64_t now_ns) noexcept {
  const auto old = live_in(ending_, now_ns);
  if (old != 0 && now_ns - begun_ns_ < overlap_ns_.load(std::memory_order_relaxed)) return;
  if (old != 0 && old >= live_in(run_, now_ns)) {
    const auto position = run_.head - run_.skipped + most_left;
    const auto count = run_.count;
    run_ = ending_;
    run_.skipped = run_.head - position;
    run_.count = count;
  }
  ending_ = {};
}

InputDrop ByNumber::mismatch(std::size_t leg, const Cell& cell) noexcept {
  counts_.mismatches.add(1);
  if (legs_[leg].out) {
    legs_[leg].dissent = most_mismatches;
    return InputDrop::standby;
  }
  if (++legs_[leg].dissent < most_mismatches) return InputDrop::duplicate;
  const auto other = static_cast<std::size_t>(std::countr_zero(std::uint64_t{cell.legs}));
  const bool other_is_worse = other < limits::legs && other != leg &&
                              counters_[leg].numbers.get() > counters_[other].numbers.get();
  set_aside(other_is_worse ? other : leg);
  return InputDrop::duplicate;
}

void ByNumber::set_aside(std::size_t leg) noexcept {
  for (auto& state : legs_)
    state.dissent = 0;
  legs_[leg].out = true;
  legs_[leg].dissent = most_mismatches;
  counters_[leg].aside.set(1);
}

}  // namespace mcr::redundancy
