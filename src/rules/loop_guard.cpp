// A sender that sends more echoes than originals is a suspect for some seconds: most likely another
// relay. (A host may seem to send an echo now and then, too: if another relay's copy of a datagram
// comes first, the host's own is taken for the echo.) What a suspect sends and is no echo is still
// relayed, since it may be all that is left of a datagram that was lost here; but slowly. This is
// the second line of defence. Whatever slips through the memory of payloads (one that was full, an
// echo that took seconds) comes from a suspect, so that the loop carries some datagrams a second
// and not some ten thousand.
//
// If copies bear the sender's address, an echo seems to come from the original sender, which
// must not suffer for it: then the address of the link is remembered, and nothing is throttled.
//
// A sender of echoes may also send a copy that comes here before its original. The copy is no
// echo then, and would be carried at once, beside the copy that another relay makes of the
// original. So it is held first, also by the relay that carries (rules/carriers.hpp).
//
// A probed rule drops nothing until a ReturnProbe has proven that it hears itself: two hosts may
// well send the same. From then on its echoes are dropped like those of any other rule, and a
// datagram that the sender of the echoes repeats is an echo, too. But nothing else that this sender
// sends is throttled: it is a relay that the stream goes round through, and half of what comes by
// it is what the rule is there to relay.
//
// Two kinds of echoes tell people two things. Where several relays join the same segments, each
// hears the copies of the one that carries, on the segment that they were sent to: all is well.
// Something goes round if an echo comes to where the payload first came from, or from this relay
// itself, or if the very frame (the same sender, and the same address of the link) is on two
// segments: a wire joins them.
#include "mcr/rules/loop_guard.hpp"

#include <algorithm>
#include <random>

#include "mcr/packet/rate_limiter.hpp"

namespace mcr {

using namespace std::chrono_literals;

namespace {

std::uint64_t mixed(std::uint64_t station) {
  const auto product = (station ^ station >> 29U) * 0x9E3779B97F4A7C15;
  return product ^ product >> 32U;
}

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
    return count != 0 && was(sender, now_ns);
  }
  /// Also if it has sent as many originals since its last echo as echoes before.
  [[nodiscard]] bool was(std::uint64_t sender, std::uint64_t now_ns) const {
    const auto age = (time_of(now_ns) - time) & time_mask;
    return tag == tag_of(sender) && (age <= lives || age == time_mask);
  }
  [[nodiscard]] Suspect after_echo(std::uint64_t sender, std::uint64_t now_ns) const {
    const auto before = is(sender, now_ns) ? count : 0;
    return {tag_of(sender), std::min(before + 1, most_count), time_of(now_ns)};
  }
  static Suspect proven(std::uint64_t sender, std::uint64_t now_ns) {
    return {tag_of(sender), most_count, time_of(now_ns)};
  }
  [[nodiscard]] Suspect after_original() const { return {tag, count - 1, time}; }
};

std::uint64_t random_key() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

/// The first arrival of a payload, as one word: 20 bits of its hash, the rx slot, and 28 bits of a
/// hash of its sender and of that one's link address.
struct Origin {
  static constexpr unsigned slot_bits = 16;
  static constexpr unsigned sender_bits = 28;
  static constexpr std::uint64_t sender_mask = (std::uint64_t{1} << sender_bits) - 1;

  static std::uint64_t bits(std::uint64_t payload, const Arrival& arrival, std::uint64_t sender) {
    const auto who = (sender ^ mixed(arrival.station)) >> (64U - sender_bits);
    return payload >> (slot_bits + sender_bits) << (slot_bits + sender_bits) |
           std::uint64_t{arrival.rx_slot} << sender_bits | who;
  }
  static bool same_payload(std::uint64_t one, std::uint64_t other) {
    return (one ^ other) >> (slot_bits + sender_bits) == 0;
  }
  static bool same_sender(std::uint64_t one, std::uint64_t other) {
    return ((one ^ other) & sender_mask) == 0;
  }
  static bool same_slot(std::uint64_t one, std::uint64_t other) {
    return ((one ^ other) >> sender_bits & 0xFFFFU) == 0;
  }
};

}  // namespace

LoopGuard::LoopGuard() : key_(random_key()) {}

LoopGuard::Judgement LoopGuard::judge(const Arrival& arrival, const Packet& packet,
                                      std::uint64_t now_ns) noexcept {
  const auto sender = sender_of(packet);
  const auto relay = arrival.preserves && arrival.station != 0 ? mixed(arrival.station) : sender;
  Judgement judgement;
  const auto known_relay = Suspect::of(suspect_at(relay).load(std::memory_order_relaxed));
  judgement.wary = known_relay.was(relay, now_ns);
  auto rest = packet.payload;
  for (std::uint32_t n = 0; n < packet.datagrams; ++n) {
    const auto payload = rest.first(std::min<std::size_t>(rest.size(), packet.segment));
    rest = rest.subspan(payload.size());
    const auto known = hash(arrival.circle, payload);
    if (!arrival.own) carriers_.heard(known, arrival.interface, packet.source, now_ns);
    if (arrival.listens) continue;
    std::uint64_t hold_ns = 0;
    const auto found = verdict(arrival, known, sender, relay, now_ns, hold_ns);
    if (hold_ns != 0) {
      judgement.held = n;
      judgement.hold_ns = hold_ns;
    }
    judgement.stopped[n] = found != Verdict::passes;
    if (found != Verdict::returned && found != Verdict::by_wire) continue;
    auto& record = records_[arrival.rule];
    record.datagrams.fetch_add(1, std::memory_order_relaxed);
    record.by_wire.store(found == Verdict::by_wire, std::memory_order_relaxed);
    record.source.set(packet.source);
    record.rx_slot.store(arrival.rx_slot, std::memory_order_relaxed);
  }
  return judgement;
}

std::uint64_t LoopGuard::sender_of(const Packet& packet) const noexcept {
  return payload_hash(std::as_bytes(packet.source.address.bytes()), key_ ^ packet.source.port);
}

LoopGuard::Verdict LoopGuard::verdict(const Arrival& arrival, std::uint64_t payload,
                                      std::uint64_t sender, std::uint64_t relay,
                                      std::uint64_t now_ns, std::uint64_t& hold_ns) noexcept {
  auto& place = suspect_at(relay);
  const auto known = Suspect::of(place.load(std::memory_order_relaxed));
  auto& probe = records_[arrival.rule].probe;
  const bool proven = !arrival.probed || probe.proofs() != 0;
  const bool sends_echoes =
      !arrival.probed && known.count >= suspect_echoes && known.is(relay, now_ns);
  const bool suspect = !arrival.preserves && sends_echoes;
  const auto origin = sender + arrival.rx_slot;
  const bool goes_round = arrival.probed && proven && known.was(relay, now_ns);
  const auto gap = goes_round                                               ? EchoMemory::window
                   : sends_echoes || (arrival.preserves && !arrival.probed) ? EchoMemory::gap
                                                                            : 0ms;
  const EchoMemory::Caution caution{.long_window = suspect || arrival.own, .gap = gap};
  const auto [sight, age_ns] = memory_.see(payload, origin, now_ns, caution);
  if (arrival.probed) probe.came(sight != EchoMemory::Sight::first);
  const bool repeats = arrival.probed && sight == EchoMemory::Sight::repeat;
  if (proven && (arrival.surely_own || sight == EchoMemory::Sight::echo ||
                 (repeats && is_moved(arrival, payload, sender)))) {
    place.store(known.after_echo(relay, now_ns).bits(), std::memory_order_relaxed);
    return goes_round ? Verdict::returned : kind_of_echo(arrival, payload, sender);
  }
  if (sight == EchoMemory::Sight::first) {
    origins_[payload % origins].store(Origin::bits(payload, arrival, sender),
                                      std::memory_order_relaxed);
    if (known.is(relay, now_ns))
      place.store(known.after_original().bits(), std::memory_order_relaxed);
  }
  if (repeats) {
    const auto answer = probe.repeated(payload, age_ns + EchoMemory::tick_ns, now_ns);
    hold_ns = answer.hold_ns;
    if (answer.returned) {
      place.store(Suspect::proven(relay, now_ns).bits(), std::memory_order_relaxed);
      return Verdict::returned;
    }
  }
  return suspect && !within_limit(records_[arrival.rule].due, now_ns) ? Verdict::throttled
                                                                      : Verdict::passes;
}

/// It comes from its sender's address, but by another link address than before: a relay between
/// them preserves the sender.
bool LoopGuard::is_moved(const Arrival& arrival, std::uint64_t payload,
                         std::uint64_t sender) const noexcept {
  const auto origin = origins_[payload % origins].load(std::memory_order_relaxed);
  const auto mine = Origin::bits(payload, arrival, sender);
  return Origin::same_payload(origin, mine) && !Origin::same_sender(origin, mine);
}

LoopGuard::Verdict LoopGuard::kind_of_echo(const Arrival& arrival, std::uint64_t payload,
                                           std::uint64_t sender) const noexcept {
  if (arrival.own) return Verdict::returned;
  const auto origin = origins_[payload % origins].load(std::memory_order_relaxed);
  const auto mine = Origin::bits(payload, arrival, sender);
  if (!Origin::same_payload(origin, mine)) return Verdict::carried;
  if (Origin::same_sender(origin, mine))
    return !Origin::same_slot(origin, mine) && arrival.station != 0 ? Verdict::by_wire
                                                                    : Verdict::carried;
  return Origin::same_slot(origin, mine) ? Verdict::returned : Verdict::carried;
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
  return {record.datagrams.load(std::memory_order_relaxed),
          record.by_wire.load(std::memory_order_relaxed), record.source.get(),
          static_cast<std::uint16_t>(record.rx_slot.load(std::memory_order_relaxed)),
          record.probe.proofs()};
}

void LoopGuard::clear(std::uint32_t rule) noexcept {
  auto& record = records_[rule];
  record.datagrams.store(0, std::memory_order_relaxed);
  record.due.store(0, std::memory_order_relaxed);
  record.source.clear();
  record.probe.clear();
}

}  // namespace mcr
