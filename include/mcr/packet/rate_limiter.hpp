// The rate limiter of an output: how many datagrams of a frame may leave.
//
// It is a GCRA (ITU-T I.371, virtual scheduling). A limiter remembers one point in time, `due`:
// when the traffic so far would be done if it had kept to the rate. Each datagram moves `due` on by
// its cost. A datagram passes while `due` lies ahead of now by no more than the burst. One atomic
// number serves all workers, without a timer and without a lock.
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

/// The cost of `units` (datagrams or bits, below 2^29) at `rate` units a second, in ticks.
[[nodiscard]] constexpr std::uint64_t cost(std::uint64_t units, std::uint64_t rate) noexcept {
  return (units * ticks_per_second + rate - 1) / rate;
}

/// The datagrams of a frame that ask to pass, in the limit's unit.
struct Demand {
  std::uint32_t datagrams = 1;
  std::uint64_t each = 1;  ///< units of every datagram but the last
  std::uint64_t all = 1;   ///< units of all; the last datagram may be smaller
};

/// The answer to a Demand.
struct Verdict {
  std::uint32_t datagrams = 0;  ///< this many pass, from the first on
  std::uint64_t due = 0;        ///< the new value to remember, ticks
};

/// Decides how many datagrams pass. `due` is the remembered value and `now` the time, both in
/// ticks; `now` may lag behind another worker's. So many units as `superframe` always fit into a
/// burst.
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

/// The memory of one output's two limits. All zeroes: nothing was sent yet. For any worker.
class RateLimiter {
 public:
  /// Returns how many of the frame's datagrams pass both limits, from the first on. `segment`:
  /// bytes of each datagram but the last; `bytes`: of all; `now_ns`: CLOCK_MONOTONIC.
  [[nodiscard]] std::uint32_t admit(const RateLimit& limit, std::uint32_t datagrams,
                                    std::uint32_t segment, std::size_t bytes,
                                    std::uint64_t now_ns) noexcept;
  /// Forgets everything, for the next output that gets this slot. Control thread, while no worker
  /// uses it.
  void clear() noexcept;

 private:
  std::atomic<std::uint64_t> datagrams_due_{0};
  std::atomic<std::uint64_t> bits_due_{0};
};

}  // namespace mcr
