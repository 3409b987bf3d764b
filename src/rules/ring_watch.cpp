// Three hosts, with one plain rule each: A to B, B to C, C to A. No host sees a circle, and each
// datagram goes round for ever, as fast as three relays can. To guard every rule by the memory of
// payloads would cost each datagram a hash, and would leave out one of two senders of the same
// bytes. So a worker looks at one datagram in 0.2 ms. What goes round comes by hundreds of
// times in that memory's half second, from the last relay of the ring and not from the sender that
// it had first. After three such samples the rule is guarded as one in a circle is, but waits for
// nobody. That is so some milliseconds after the first datagram of a stream, the one that is most
// surely a sample.
//
// Two senders of one stream are no ring: each payload comes twice. Two senders that send the same
// bytes again and again look like one; of these one is left out while it lasts.
#include "mcr/rules/ring_watch.hpp"

namespace mcr {

namespace {

/// How often a payload was an echo within a second: 44 bits of its hash, the second, the number.
struct Count {
  std::uint64_t tag;
  std::uint64_t second;
  std::uint64_t echoes;

  explicit Count(std::uint64_t bits)
      : tag(bits >> 20U), second(bits >> 4U & 0xFFFFU), echoes(bits & 0xFU) {}
  Count(std::uint64_t payload, std::uint64_t now_ns)
      : tag(payload >> 20U), second(now_ns / 1'000'000'000 & 0xFFFFU), echoes(1) {}
  [[nodiscard]] std::uint64_t bits() const { return tag << 20U | second << 4U | echoes; }
  [[nodiscard]] bool continues(const Count& later) const {
    return tag == later.tag && ((later.second - second) & 0xFFFFU) <= 1;
  }
};

}  // namespace

void RingWatch::sample(std::uint32_t rule, std::uint64_t payload, std::uint64_t origin,
                       std::uint64_t now_ns) noexcept {
  if (samples_.see(payload, origin, now_ns, {}) != EchoMemory::Sight::echo) return;
  auto& place = echoes_[payload % counts];
  const Count before(place.load(std::memory_order_relaxed));
  Count count(payload, now_ns);
  if (before.continues(count)) count.echoes = before.echoes + 1;
  if (count.echoes >= rounds) return prolong(rule, now_ns);
  place.store(count.bits(), std::memory_order_relaxed);
}

void RingWatch::prolong(std::uint32_t rule, std::uint64_t now_ns) noexcept {
  const auto until = now_ns + static_cast<std::uint64_t>(std::chrono::nanoseconds(lasts).count());
  rules_[rule].store(until, std::memory_order_relaxed);
  until_ns_.store(until, std::memory_order_relaxed);
}

}  // namespace mcr
