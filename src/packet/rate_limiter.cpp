#include "mcr/packet/rate_limiter.hpp"

namespace mcr {

namespace {

using rate_limit::Demand;

/// Applies one limit: repeats the decision if another worker was faster.
std::uint32_t pass(std::atomic<std::uint64_t>& due, std::uint64_t rate, std::uint64_t superframe,
                   std::uint64_t now, const Demand& demand) noexcept {
  auto known = due.load(std::memory_order_relaxed);
  while (true) {
    const auto verdict = rate_limit::admit(rate, superframe, known, now, demand);
    if (verdict.datagrams == 0 ||
        due.compare_exchange_weak(known, verdict.due, std::memory_order_relaxed))
      return verdict.datagrams;
  }
}

}  // namespace

std::uint32_t RateLimiter::admit(const RateLimit& limit, std::uint32_t datagrams,
                                 std::uint32_t segment, std::size_t bytes,
                                 std::uint64_t now_ns) noexcept {
  const auto now = now_ns * rate_limit::ticks_per_ns;
  auto passing = datagrams;
  if (limit.pps != 0)
    passing = pass(datagrams_due_, limit.pps, rate_limit::superframe_datagrams, now,
                   {datagrams, 1, datagrams});
  if (limit.bps == 0 || passing == 0) return passing;

  const auto all = passing == datagrams ? bytes : std::size_t{passing} * segment;
  const auto both = pass(bits_due_, limit.bps, rate_limit::superframe_bits, now,
                         {passing, 8 * std::uint64_t{segment}, 8 * std::uint64_t{all}});
  // Datagrams that only the bit rate refused must not use up the packet rate.
  if (limit.pps != 0 && both != passing)
    datagrams_due_.fetch_sub(rate_limit::cost(passing - both, limit.pps),
                             std::memory_order_relaxed);
  return both;
}

void RateLimiter::clear() noexcept {
  datagrams_due_.store(0, std::memory_order_relaxed);
  bits_due_.store(0, std::memory_order_relaxed);
}

}  // namespace mcr
