// An echo is this: two relays stand between the segments A and B. A host on A sends a datagram.
// Each relay puts a copy on B, hears the other's copy there, and would put that back on A, and so
// on for ever. Nothing in a copy tells that it is one: its source is the other relay, and the TTL
// may be new. Only the payload is the same.
//
// So a payload belongs to its origin: the input and the sender that it first came from. While it is
// known, its origin may send it again as often as it likes (mDNS repeats announcements, others beat
// with a constant payload). The same bytes from any other input or sender are an echo. An echo does
// not prolong what is known, so that what ends stays ended.
//
// Why not count copies? One copy sent is heard once for each other relay, and how many there are is
// not known; a lost copy leaves one count too many, a lost original one too few. The origin is
// right in each of these cases. A relay that lost the original takes the other relay's copy for it,
// and sends one copy back to A; the other relay knows that payload from A's host, and stops it.
// Thus a payload is relayed at most once by each relay, for each time that its origin sends it.
//
// The price: of two senders that send the same bytes within the window, one is left out. For
// receivers the copies of both would be alike, since a copy bears the relay's address. For mDNS it
// is the duplicate question suppression of RFC 6762, section 7.3.
//
// A sender that has sent many echoes is most likely another relay (rules/loop_guard.hpp knows
// them). Its copies may come late, so the window is longer for it. With `source = "preserve"` and a
// wire between the segments a copy looks like the origin's own repetition: there a repetition that
// follows at once is an echo, too.
//
// An entry is one word, so nobody sees half of one: 22 bits of the payload's hash, 20 of the
// origin's (mixed with the payload's, so that two senders are not alike for ever), 22 of the time
// in units of 4 ms. With the 13 bits that choose the bucket, a payload is mistaken for another that
// is known at the same time once in 2^35. Two workers that write to one bucket at once may lose one
// of two entries; then one echo more is relayed.
#include "mcr/packet/echo_memory.hpp"

#include <cstring>

namespace mcr {

namespace {

constexpr unsigned tag_bits = 22;
constexpr unsigned origin_bits = 20;
constexpr unsigned time_bits = 22;
static_assert(tag_bits + origin_bits + time_bits == 64);

constexpr std::uint64_t mask(unsigned bits) {
  return (std::uint64_t{1} << bits) - 1;
}

constexpr auto tick_ns = EchoMemory::tick_ns;
/// Another worker's time may be so far ahead of ours.
constexpr std::uint64_t ahead_most = 250;

constexpr std::uint64_t ticks(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count()) / tick_ns;
}

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

constexpr std::uint64_t odd_a = 0x9E3779B97F4A7C15;
constexpr std::uint64_t odd_b = 0xD6E8FEB86659FD93;

struct Entry {
  std::uint64_t tag;
  std::uint64_t origin;
  std::uint64_t time;

  static Entry of(std::uint64_t bits) {
    return {bits >> (origin_bits + time_bits), bits >> time_bits & mask(origin_bits),
            bits & mask(time_bits)};
  }
  [[nodiscard]] std::uint64_t bits() const {
    return tag << (origin_bits + time_bits) | origin << time_bits | time;
  }
  [[nodiscard]] std::uint64_t age(std::uint64_t now) const {
    const auto age = (now - time) & mask(time_bits);
    return age > mask(time_bits) - ahead_most ? 0 : age;
  }
};

}  // namespace

std::uint64_t payload_hash(std::span<const std::byte> payload, std::uint64_t key) noexcept {
  std::uint64_t hash = key ^ mix(payload.size() + odd_a, odd_b);
  while (!payload.empty()) {
    std::uint64_t word = 0;
    const auto bytes = payload.size() < sizeof word ? payload.size() : sizeof word;
    std::memcpy(&word, payload.data(), bytes);
    payload = payload.subspan(bytes);
    hash = mix(hash ^ word, odd_a ^ key) + odd_b;
  }
  return mix(hash, odd_b);
}

EchoMemory::Sighting EchoMemory::see(std::uint64_t payload, std::uint64_t origin,
                                     std::uint64_t now_ns, Caution caution) noexcept {
  const Entry mine{payload >> (64U - tag_bits), mix(origin ^ payload, odd_a) & mask(origin_bits),
                   now_ns / tick_ns & mask(time_bits)};
  const auto lives = ticks(caution.long_window ? long_window : window);
  auto& bucket = buckets_[payload % buckets];
  auto* oldest = &bucket[0];
  std::uint64_t most_age = 0;
  bool known = false;
  for (auto& place : bucket) {
    const auto bits = place.load(std::memory_order_relaxed);
    const auto entry = Entry::of(bits);
    const auto age = bits == 0 ? mask(time_bits) : entry.age(mine.time);
    if (age >= most_age) {
      most_age = age;
      oldest = &place;
    }
    if (bits == 0 || entry.tag != mine.tag || age >= lives) continue;
    if (entry.origin != mine.origin) {
      known = true;
      continue;
    }
    if (age < ticks(caution.gap)) return {Sight::echo};
    place.store(mine.bits(), std::memory_order_relaxed);
    return {Sight::repeat, age * tick_ns};
  }
  if (known) return {Sight::echo};
  oldest->store(mine.bits(), std::memory_order_relaxed);
  return {Sight::first};
}

}  // namespace mcr
