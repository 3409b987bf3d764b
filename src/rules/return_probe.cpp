// A ring of relays on several hosts: this one brings A's datagrams to B, another one brings those
// of B to A. One datagram goes round for ever, and on A it always comes from that other relay, as
// if a host there sent the same again and again. Some hosts do: they beat with a constant payload.
//
// The two differ in what makes them send. A repetition is held now and then. If another one comes
// meanwhile, its sender needs no copy of ours: it is a host, and nothing is wrong. If none comes,
// but one follows at once when the held one goes on, and that five times in a row, it is our own.
// A host that beats by the clock could do that by chance if all were held equally long, so the
// time is left to chance. To hold a repetition harms nobody: the same was sent already.
//
// Other relays of the ring may hold the same datagram in their turn. Then it comes late, which
// proves nothing; few are held, so that this is rare.
#include "mcr/rules/return_probe.hpp"

namespace mcr {

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::uint64_t ns(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

/// A held datagram whose release is overdue by this was lost with its rule.
constexpr std::uint64_t overdue = ns(std::chrono::seconds(1));

constexpr std::uint64_t mixed(std::uint64_t word) {
  word = (word ^ word >> 31U) * 0x9E3779B97F4A7C15;
  return word ^ word >> 32U;
}

}  // namespace

ReturnProbe::Answer ReturnProbe::repeated(std::uint64_t payload, std::uint64_t now_ns) noexcept {
  payload |= 1U;  // never 0
  const auto held = payload_.load(relaxed);
  const auto released = released_.load(relaxed);
  if (held == 0) return begin(payload, now_ns);
  if (released == 0 && now_ns < due_.load(relaxed) + overdue) {
    if (payload == held) refute();
    return {};
  }
  if (released == 0 || now_ns > released + ns(returns_within)) {
    rounds_.store(0, relaxed);
    return begin(payload, now_ns);
  }
  if (payload != held) return {};
  if (rounds_.fetch_add(1, relaxed) + 1 < proof) return begin(payload, now_ns);
  rounds_.store(0, relaxed);
  payload_.store(0, relaxed);
  proofs_.fetch_add(1, relaxed);
  return {.returned = true};
}

ReturnProbe::Answer ReturnProbe::begin(std::uint64_t payload, std::uint64_t now_ns) noexcept {
  const auto luck = mixed(now_ns);
  payload_.store(0, relaxed);
  if (luck % chance != 0) return {};
  const auto hold = ns(least_hold) + luck / chance % ns(most_hold - least_hold);
  due_.store(now_ns + hold, relaxed);
  released_.store(0, relaxed);
  payload_.store(payload, relaxed);
  return {.hold_ns = hold};
}

void ReturnProbe::refute() noexcept {
  refuted_.store(true, relaxed);
  rounds_.store(0, relaxed);
  payload_.store(0, relaxed);
}

/// Too early, since too much is held, proves nothing.
void ReturnProbe::released(std::uint64_t now_ns) noexcept {
  if (payload_.load(relaxed) == 0) return;
  if (now_ns < due_.load(relaxed)) return payload_.store(0, relaxed);
  released_.store(now_ns, relaxed);
}

void ReturnProbe::clear() noexcept {
  payload_.store(0, relaxed);
  rounds_.store(0, relaxed);
  proofs_.store(0, relaxed);
  refuted_.store(false, relaxed);
}

}  // namespace mcr
