// A sender that sends more echoes than originals is a suspect for some seconds: most likely another
// relay. (A host sends an echo now and then, too: when another relay's copy of its datagram comes
// first.) What a suspect sends and is no echo is relayed still, since it may be all that is left of
// a datagram that was lost here; but slowly. This is the second line of defence. Whatever slips
// through the memory of payloads (one that was full, an echo that took seconds) comes from a
// suspect, so that the loop carries some datagrams a second and not some ten thousand.
//
// If copies bear the sender's address, an echo seems to come from the original sender, which
// must not suffer for it: there is no suspect then.
#include "mcr/rules/loop_guard.hpp"

#include <algorithm>
#include <random>

#include "mcr/packet/rate_limiter.hpp"

namespace mcr {

namespace {

/// All that is remembered of a sender, as one word: a part of its hash, echoes, time of the last
/// one.
struct Suspect {
  static constexpr unsigned time_bits = 24;
  static constexpr unsigned count_bits = 8;
  static constexpr std::uint64_t most_count = 64;
  static constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
  static constexpr std::uint64_t tick_ns = 64'000'000;
  static constexpr std::uint64_t lives =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(LoopGuard::suspect_for).count()) /
      tick_ns;

  std::uint64_t tag;
  std::uint64_t count;
  std::uint64_t time;

  static Suspect of(std::uint64_t bits) {
    return {bits >> (count_bits + time_bits), bits >> time_bits & 0xFFU, bits & time_mask};
  }
  [[nodiscard]] std::uint64_t bits() const {
    return tag << (count_bits + time_bits) | count << time_bits | time;
  }
  static std::uint64_t tag_of(std::uint64_t sender) { return sender >> (count_bits + time_bits); }
  static std::uint64_t time_of(std::uint64_t now_ns) { return now_ns / tick_ns & time_mask; }

  /// Another worker's time may be a little ahead of ours.
  [[nodiscard]] bool is(std::uint64_t sender, std::uint64_t now_ns) const {
    const auto age = (time_of(now_ns) - time) & time_mask;
    return tag == tag_of(sender) && count != 0 && (age <= lives || age == time_mask);
  }
  [[nodiscard]] Suspect after_echo(std::uint64_t sender, std::uint64_t now_ns) const {
    const auto before = is(sender, now_ns) ? count : 0;
    return {tag_of(sender), std::min(before + 1, most_count), time_of(now_ns)};
  }
  [[nodiscard]] Suspect after_original() const { return {tag, count - 1, time}; }
};

std::uint64_t random_key() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

}  // namespace

LoopGuard::LoopGuard() : key_(random_key()) {}

LoopGuard::Stopped LoopGuard::judge(const Arrival& arrival, const Packet& packet,
                                    std::uint64_t now_ns) noexcept {
  const auto sender =
      payload_hash(std::as_bytes(packet.source.address.bytes()), key_ ^ packet.source.port);
  Stopped stopped;
  auto rest = packet.payload;
  for (std::uint32_t n = 0; n < packet.datagrams; ++n) {
    const auto payload = rest.first(std::min<std::size_t>(rest.size(), packet.segment));
    rest = rest.subspan(payload.size());
    const auto known = hash(arrival.circle, payload);
    if (!arrival.own) carriers_.heard(known, arrival.interface, now_ns);
    stopped[n] = stops(arrival, known, sender, now_ns);
  }
  if (const auto echoes = stopped.count(); echoes != 0) {
    auto& record = records_[arrival.rule];
    record.datagrams.fetch_add(echoes, std::memory_order_relaxed);
    record.source.set(packet.source);
    record.rx_slot.store(arrival.rx_slot, std::memory_order_relaxed);
  }
  return stopped;
}

bool LoopGuard::stops(const Arrival& arrival, std::uint64_t payload, std::uint64_t sender,
                      std::uint64_t now_ns) noexcept {
  auto& place = suspect_at(sender);
  const auto known = Suspect::of(place.load(std::memory_order_relaxed));
  const bool suspect =
      !arrival.preserves && known.count >= suspect_echoes && known.is(sender, now_ns);
  const auto origin = sender + arrival.rx_slot;
  const EchoMemory::Caution caution{.long_window = suspect || arrival.own,
                                    .gap = suspect || arrival.preserves};
  const auto sight = memory_.see(payload, origin, now_ns, caution);
  if (arrival.surely_own || sight == EchoMemory::Sight::echo) {
    place.store(known.after_echo(sender, now_ns).bits(), std::memory_order_relaxed);
    return true;
  }
  if (sight == EchoMemory::Sight::first && known.is(sender, now_ns))
    place.store(known.after_original().bits(), std::memory_order_relaxed);
  return suspect && !within_limit(records_[arrival.rule].due, now_ns);
}

bool LoopGuard::within_limit(std::atomic<std::uint64_t>& due, std::uint64_t now_ns) noexcept {
  auto before = due.load(std::memory_order_relaxed);
  for (;;) {
    const auto verdict = rate_limit::admit(suspect_pps, suspect_burst, before,
                                           now_ns * rate_limit::ticks_per_ns, {});
    if (verdict.datagrams == 0) return false;
    if (due.compare_exchange_weak(before, verdict.due, std::memory_order_relaxed)) return true;
  }
}

Echoes LoopGuard::echoes(std::uint32_t rule) const noexcept {
  const auto& record = records_[rule];
  return {record.datagrams.load(std::memory_order_relaxed), record.source.get(),
          static_cast<std::uint16_t>(record.rx_slot.load(std::memory_order_relaxed))};
}

void LoopGuard::clear(std::uint32_t rule) noexcept {
  auto& record = records_[rule];
  record.datagrams.store(0, std::memory_order_relaxed);
  record.due.store(0, std::memory_order_relaxed);
  record.source.clear();
}

}  // namespace mcr
