// A ring of relays on several hosts: this one brings A's datagrams to B, another one brings those
// of B to A. A datagram goes round for ever, and on A it always comes from that other relay, as if
// a host there sent the same again and again. Some hosts do: they beat with a constant payload, or
// send a few datagrams in turn.
//
// The two differ in what makes them send. A repetition is held now and then, for longer than it
// took to come again: twice that time, and a time that is left to chance, so that a host that beats
// by the clock does not meet its end. If the same datagram comes again while ours is held, whoever
// sends it does not need our copy for that: it is a host. If none comes while ours is held, and one
// comes soon after ours has gone on, it is our own that has gone round. Eight times in a row prove
// a ring; three times in a row prove a host. To hold a repetition loses nothing, since the same
// was sent already; but of a host that sends several datagrams in turn, the held one leaves out of
// turn.
//
//   nothing held -- a repetition, by chance --> held -- due, none came --> comes back
//     ^                                          |                           |
//     +------- due, one came: an intrusion ------+                           |
//     +------- it comes: a return; or the time is over: no return -----------+
//
// However many datagrams go round, one is held at a time, and the others pass: they make its trip
// longer, no more. Some of those that go round may be alike, as the padding of a stream is. Such a
// one intrudes while the other is held, so one intrusion proves nothing; and what comes again much
// sooner than others do is not held.
//
// A host's padded stream repeats itself, too, and would be out of order if it were held. But in a
// ring nearly everything comes again. So nothing is held where much is new.
//
// Other relays of the ring may hold the same datagram in their turn. Then it comes late, which
// proves nothing; few are held, so that this is rare.
#include "mcr/rules/return_probe.hpp"

#include <algorithm>

namespace mcr {

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::uint64_t ns(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

/// A held datagram whose release is overdue by this was lost with its rule.
constexpr std::uint64_t overdue = ns(std::chrono::seconds(1));

/// A datagram's weight in the share of those that come again, and the share of a ring.
constexpr std::uint32_t share_bits = 16;
constexpr std::uint32_t share_weight = 256;
constexpr std::uint32_t share_of_ring = 3U << (share_bits - 2);

constexpr std::uint64_t mixed(std::uint64_t word) {
  word = (word ^ word >> 31U) * 0x9E3779B97F4A7C15;
  return word ^ word >> 32U;
}

}  // namespace

void ReturnProbe::came(bool again) noexcept {
  const auto share = share_.load(relaxed);
  const auto more = again ? (1U << share_bits) / share_weight : 0U;
  share_.store(share - share / share_weight + more, relaxed);
}

ReturnProbe::Answer ReturnProbe::repeated(std::uint64_t payload, std::uint64_t trip_ns,
                                          std::uint64_t now_ns) noexcept {
  if (refuted()) return {};
  payload |= 1U;  // never 0
  const auto known = payload_.load(relaxed);
  const auto released = released_.load(relaxed);
  if (known == 0) return begin(payload, trip_ns, now_ns);
  if (released == 0 && now_ns < due_.load(relaxed) + overdue) {
    if (payload == known) intruded_.store(true, relaxed);
    return {};
  }
  const auto until = released + 2 * trip_.load(relaxed) + ns(returns_within);
  if (released == 0 || now_ns > until)
    returns_.store(0, relaxed);
  else if (payload != known)
    return {};
  else if (count_return())
    return {.returned = true};
  payload_.store(0, relaxed);
  return {};
}

ReturnProbe::Answer ReturnProbe::begin(std::uint64_t payload, std::uint64_t trip_ns,
                                       std::uint64_t now_ns) noexcept {
  const auto before = longest_.load(relaxed);
  const auto longest = std::max(before - before / 1024, trip_ns);
  longest_.store(longest, relaxed);
  const auto luck = mixed(now_ns ^ payload);
  if (luck % chance != 0 || trip_ns < longest / 2 || share_.load(relaxed) < share_of_ring)
    return {};
  const auto hold = 2 * trip_ns + ns(least_hold) + luck / chance % ns(most_hold - least_hold);
  trip_.store(trip_ns, relaxed);
  due_.store(now_ns + hold, relaxed);
  released_.store(0, relaxed);
  intruded_.store(false, relaxed);
  payload_.store(payload, relaxed);
  return {.hold_ns = hold};
}

/// True if that proves it.
bool ReturnProbe::count_return() noexcept {
  intrusions_.store(0, relaxed);
  if (returns_.fetch_add(1, relaxed) + 1 < proof) return false;
  returns_.store(0, relaxed);
  payload_.store(0, relaxed);
  proofs_.fetch_add(1, relaxed);
  return true;
}

void ReturnProbe::count_intrusion() noexcept {
  returns_.store(0, relaxed);
  if (intrusions_.fetch_add(1, relaxed) + 1 >= disproof && proofs() == 0)
    refuted_.store(true, relaxed);
}

/// A datagram that goes on before it is due, because too much is held, proves nothing.
void ReturnProbe::released(std::uint64_t payload, std::uint64_t now_ns) noexcept {
  if (payload_.load(relaxed) != (payload | 1U) || released_.load(relaxed) != 0) return;
  const bool early = now_ns < due_.load(relaxed);
  const bool intruded = intruded_.load(relaxed);
  if (!early && !intruded) return released_.store(now_ns, relaxed);
  if (!early) count_intrusion();
  payload_.store(0, relaxed);
}

void ReturnProbe::clear() noexcept {
  share_.store(0, relaxed);
  longest_.store(0, relaxed);
  payload_.store(0, relaxed);
  returns_.store(0, relaxed);
  intrusions_.store(0, relaxed);
  proofs_.store(0, relaxed);
  refuted_.store(false, relaxed);
}

}  // namespace mcr
