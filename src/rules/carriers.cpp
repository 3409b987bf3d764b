// Two relays and more between the same networks would bring as many copies of each datagram. The
// memory of echoes (packet/echo_memory.hpp) ends loops, but it learns too late to keep a copy
// back: all relays hear the original at once. So of the relays that could carry a datagram one does
// so at once, and each other waits a little, hears that copy, and sends none:
//
//                    +--- sent and nobody else's copy was heard ---+
//                    v                                             |
//   carries: sends at once                waits: sends after wait(), if it is not there
//                    |                                             ^
//                    +--- somebody else's copy was heard ----------+
//
// It is decided for each output apart. There is no message between relays: all that counts is
// heard on the wire anyway. So it works beside other programs, and a wire between the networks is
// one more that carries.
//
// At first no relay knows of another. The first datagram waits, and a relay that is alone carries
// from the second one on. A relay's wait follows from the address that its copies are sent from. It
// stays the same, so that what waits keeps its order, and so that of several relays that wait the
// same one is always first. Addresses in a row give waits that are far apart. Two relays that sent
// the same at the same time hear each other; then both draw lots for another wait. A relay that has
// once heard another takes over only after three datagrams that nobody else carried: a single one
// may just have been lost.
//
// Thus if the one that carries falls silent, the next datagram is carried by the first of those
// that wait. A datagram comes once; twice where two waits ended together, or a copy was lost on the
// way to one that waits. A third copy comes so:
// - three waits end within the time in which a copy is heard. It takes a delay of half of what lies
//   between the first and the third (loop_guard_test.cpp: 18 ms among three in a row);
// - three relays carry, since their networks were apart until now: one datagram comes thrice;
// - more datagrams wait than there is room for (dataplane/held.hpp), at three relays at once;
// - copies are lost.
// A copy that overtakes its original is held, too (LoopGuard::Judgement::wary); else the carriers
// of two ways would each send one. On three networks and more that happens rarely still, before it
// is known whose copies these are.
#include "mcr/rules/carriers.hpp"

#include <algorithm>
#include <span>

namespace mcr {

namespace {

constexpr std::uint64_t tick_ns = 1'000'000;
constexpr unsigned time_bits = 24;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
constexpr unsigned way_bits = 18;
static_assert(slots::outputs <= std::size_t{1} << way_bits);

constexpr std::uint64_t ticks(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count()) / tick_ns;
}

/// Bijective, and each bit of the result depends on each of the argument (Stafford's variant 13 of
/// the finalizer of MurmurHash3).
constexpr std::uint64_t scatter(std::uint64_t value) {
  value = (value ^ value >> 30U) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27U) * 0x94D049BB133111EB;
  return value ^ value >> 31U;
}

constexpr std::uint64_t place_of(std::uint64_t payload, unsigned interface) {
  return scatter(payload + interface * 0x9E3779B97F4A7C15);
}

/// How long ago a tick of this number was; another worker's time may be a little ahead.
constexpr std::uint64_t age(std::uint64_t tick, std::uint64_t now_ns) {
  const auto age = (now_ns / tick_ns - tick) & time_mask;
  return age > time_mask / 2 ? 0 : age;
}

/// A payload that was heard: 40 bits of its place's hash, and when. Never 0: that is an empty
/// place.
struct Heard {
  static std::uint64_t bits(std::uint64_t hash, std::uint64_t now_ns) {
    return (hash & ~time_mask) | (now_ns / tick_ns & time_mask);
  }
  static bool is(std::uint64_t bits, std::uint64_t hash) {
    return bits != 0 && ((bits ^ hash) & ~time_mask) == 0;
  }
};

/// The places that a payload may have: one line of the cache.
constexpr std::size_t bucket = 8;
using Bucket = std::span<std::atomic<std::uint64_t>, bucket>;

Bucket bucket_of(const Mapping<std::atomic<std::uint64_t>>& heard, std::size_t place) {
  return Bucket(&heard[place / bucket * bucket], bucket);
}

/// The place that notes that this payload was heard: an empty one, or the oldest. A relay that
/// forgets what it has heard while a datagram waits sends one copy too many.
std::atomic<std::uint64_t>& place_for(std::uint64_t hash, Bucket places, std::uint64_t now_ns) {
  auto* oldest = &places.front();
  std::uint64_t most_age = 0;
  for (auto& place : places) {
    const auto bits = place.load(std::memory_order_relaxed);
    if (bits == 0 || Heard::is(bits, hash)) return place;
    const auto its_age = age(bits & time_mask, now_ns);
    if (its_age < most_age) continue;
    most_age = its_age;
    oldest = &place;
  }
  return *oldest;
}

/// A payload that was sent: 22 bits of its place's hash, the way, and when.
struct Probe {
  static constexpr unsigned below_tag = way_bits + time_bits;

  static std::uint64_t bits(std::uint64_t hash, std::uint32_t way, std::uint64_t now_ns) {
    return hash >> below_tag << below_tag | std::uint64_t{way} << time_bits |
           (now_ns / tick_ns & time_mask);
  }
  static bool is(std::uint64_t bits, std::uint64_t hash) {
    return bits != 0 && (bits ^ hash) >> below_tag == 0;
  }
  static std::uint32_t way(std::uint64_t bits) {
    return static_cast<std::uint32_t>(bits >> time_bits & ((1U << way_bits) - 1));
  }
};

}  // namespace

void Carriers::heard(std::uint64_t payload, unsigned interface, const Endpoint& source,
                     std::uint64_t now_ns) noexcept {
  const auto hash = place_of(payload, interface);
  sources_[hash % probes].set(source);
  place_for(hash, bucket_of(heard_, hash % places), now_ns)
      .store(Heard::bits(hash, now_ns), std::memory_order_relaxed);
  auto& place = probes_[hash % probes];
  const auto probe = place.load(std::memory_order_relaxed);
  if (!Probe::is(probe, hash) || age(probe & time_mask, now_ns) > ticks(rival_time)) return;
  place.store(0, std::memory_order_relaxed);
  auto& way = ways_[Probe::way(probe)];
  way.proofs_missing.store(proofs + 1, std::memory_order_relaxed);
  if (age(probe & time_mask, now_ns) < ticks(shortest_wait))
    way.rivals.fetch_add(1, std::memory_order_relaxed);
}

bool Carriers::is_there(std::uint64_t payload, unsigned interface,
                        std::uint64_t since_ns) const noexcept {
  const auto hash = place_of(payload, interface);
  const auto earliest = since_ns / tick_ns - ticks(slack);
  return std::ranges::any_of(bucket_of(heard_, hash % places), [&](const auto& place) {
    const auto heard = place.load(std::memory_order_relaxed);
    return Heard::is(heard, hash) && ((heard - earliest) & time_mask) <= time_mask / 2;
  });
}

bool Carriers::carries(std::uint32_t way) const noexcept {
  return ways_[way].proofs_missing.load(std::memory_order_relaxed) == 1;
}

std::chrono::nanoseconds Carriers::wait(std::uint32_t way, std::uint32_t rank,
                                        bool brief) const noexcept {
  const auto rivals = ways_[way].rivals.load(std::memory_order_relaxed);
  const auto lot =
      rivals == 0 && rank != 0 ? rank : scatter(key_ ^ std::uint64_t{way} << 32U ^ rivals) >> 32U;
  constexpr std::chrono::nanoseconds span = longest_wait - shortest_wait;
  const auto share = static_cast<std::uint64_t>(span.count()) * lot >> 32U;
  const auto wait = shortest_wait + std::chrono::nanoseconds(share);
  return brief ? wait / 4 : wait;
}

/// A multiple of the golden ratio: no other fraction keeps neighbours as far apart, wherever they
/// begin (Knuth, The Art of Computer Programming, volume 3, section 6.4).
std::uint32_t Carriers::rank_of(const IpAddress& source) noexcept {
  std::uint32_t number = 0;
  for (const auto byte : source.bytes().last(4))
    number = number << 8U | byte;
  return number * 0x9E3779B9U;
}

bool Carriers::is_due(std::uint32_t way, std::uint64_t now_ns) const noexcept {
  const auto sent = ways_[way].sent_ns.load(std::memory_order_relaxed);
  return sent == 0 || now_ns - sent >= ticks(pace) * tick_ns;
}

void Carriers::sent(std::uint32_t way, std::uint64_t payload, unsigned interface,
                    std::uint64_t now_ns) noexcept {
  auto& known = ways_[way];
  known.sent_ns.store(now_ns, std::memory_order_relaxed);
  known.left_ns.store(0, std::memory_order_relaxed);
  const auto missing = known.proofs_missing.load(std::memory_order_relaxed);
  if (missing != 1)
    known.proofs_missing.store(missing == 0 ? 1 : missing - 1, std::memory_order_relaxed);
  const auto hash = place_of(payload, interface);
  probes_[hash % probes].store(Probe::bits(hash, way, now_ns), std::memory_order_relaxed);
}

void Carriers::left(std::uint32_t way, std::uint64_t payload, unsigned interface,
                    const Endpoint& source, std::uint64_t now_ns) noexcept {
  auto& known = ways_[way];
  known.proofs_missing.store(proofs + 1, std::memory_order_relaxed);
  const auto other = sources_[place_of(payload, interface) % probes].get();
  if (other == source)
    known.other.clear();
  else
    known.other.set(other);
  known.left_ns.store(now_ns, std::memory_order_relaxed);
}

std::optional<Carriers::Other> Carriers::other(std::uint32_t way) const noexcept {
  const auto& known = ways_[way];
  const auto left_ns = known.left_ns.load(std::memory_order_relaxed);
  if (left_ns == 0) return std::nullopt;
  return Other{known.other.get(), left_ns};
}

void Carriers::clear(std::uint32_t way) noexcept {
  auto& known = ways_[way];
  known.proofs_missing.store(0, std::memory_order_relaxed);
  known.rivals.store(0, std::memory_order_relaxed);
  known.sent_ns.store(0, std::memory_order_relaxed);
  known.left_ns.store(0, std::memory_order_relaxed);
}

}  // namespace mcr
