// The rate limit of an output: how many datagrams of a frame may still leave.
//
// GCRA (ITU-T I.371, virtual scheduling): a limit remembers one time, when the traffic so far would
// be done had it kept to the rate. It may lie ahead of now by the burst. Each datagram moves it on
// by its cost. One atomic number serves all workers, without a timer and without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mcr/config/rate_limit.hpp"

namespace mcr {

namespace rate_limit {
/// Times are in ticks of 1/16 ns, so that a rate is kept to 1 % up to 100 million datagrams a
/// second and 100 Gbit/s of 100-byte datagrams; 64 bits of them are 36 years.
inline constexpr std::uint64_t ticks_per_ns = 16;
inline constexpr std::uint64_t ticks_per_second = 1'000'000'000 * ticks_per_ns;
/// A burst is 10 ms of the rate, and at least one superframe.
inline constexpr std::uint64_t burst = ticks_per_second / 100;
inline constexpr std::uint64_t superframe_datagrams = 64;
inline constexpr std::uint64_t superframe_bits = 8 * 65'507;

/// What `units` (datagrams or bits, below 2^29) cost at `rate` units a second, in ticks.
[[nodiscard]] constexpr std::uint64_t cost(std::uint64_t units, std::uint64_t rate) noexcept {
  return (units * ticks_per_second + rate - 1) / rate;
}

/// What is asked of a limit, in its unit.
struct Demand {
  std::uint32_t datagrams = 1;
  std::uint64_t each = 1;  ///< units of every datagram but the last
  std::uint64_t all = 1;   ///< units of all; the last datagram may be smaller
};

struct Verdict {
  std::uint32_t datagrams = 0;  ///< the first so many pass
  std::uint64_t due = 0;        ///< what the limit remembers from now on, ticks
};

/// `due`: what the limit remembers, ticks; `now` may lag behind that of another worker.
/// `superframe`: units that always fit into a burst.
[[nodiscard]] constexpr Verdict admit(std::uint64_t rate, std::uint64_t superframe,
                                      std::uint64_t due, std::uint64_t now,
                                      const Demand& demand) noexcept {
  const auto least_burst = cost(superframe, rate);
  const auto limit = now + (least_burst > burst ? least_burst : burst);
  const auto start = due > now ? due : now;
  const auto room = limit > start ? limit - start : 0;
  const auto whole = cost(demand.all, rate);
  if (whole <= room) return {demand.datagrams, start + whole};
  const auto each = cost(demand.each, rate);
  const auto fitting = static_cast<std::uint32_t>(
      room / each < demand.datagrams ? room / each : demand.datagrams - 1);
  return {fitting, fitting == 0 ? due : start + fitting * each};
}
}  // namespace rate_limit

/// What the limits of one output remember. All zeroes: nothing sent yet. Any worker.
class RateLimiter {
 public:
  /// How many of the frame's datagrams pass both limits: the first so many. `segment`: bytes of
  /// each datagram but the last, `bytes`: of all; `now_ns`: CLOCK_MONOTONIC.
  [[nodiscard]] std::uint32_t admit(const RateLimit& limit, std::uint32_t datagrams,
                                    std::uint32_t segment, std::size_t bytes,
                                    std::uint64_t now_ns) noexcept;
  /// For the next output that gets this place.
  void clear() noexcept;

 private:
  std::atomic<std::uint64_t> datagrams_due_{0};
  std::atomic<std::uint64_t> bits_due_{0};
};

}  // namespace mcr
