// The datagrams that rules receive, summed over all workers. Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/control/socket_pool.hpp"
#include "mcr/fastpath/fast_counters.hpp"
#include "mcr/rules/slot_allocator.hpp"

namespace mcr {

/// One rule since its slot was handed out.
struct RuleActivity {
  using Clock = std::chrono::steady_clock;

  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;  ///< of UDP payload
  double pps = 0;           ///< RuleRates has the rates
  double bps = 0;           ///< bits of UDP payload a second
  std::optional<Clock::time_point> last_seen;
  Endpoint last_source;
};

/// All but the rates, over both ways.
[[nodiscard]] RuleActivity activity_of(const SocketPool::Workers& workers,
                                       const fastpath::FastCounters& kernel,
                                       std::uint32_t rule_slot);

/// How much each rule received a second, between the last two samples.
class RuleRates {
 public:
  struct Rate {
    double pps = 0;
    double bps = 0;  ///< bits of UDP payload a second
  };

  /// `seconds`: since the sample before.
  void sample(const SlotAllocators& slots, const SocketPool::Workers& workers,
              const fastpath::FastCounters& kernel, double seconds);
  /// For the slot's next owner.
  void clear(std::uint32_t rule_slot) noexcept { samples_[rule_slot] = {}; }

  [[nodiscard]] const Rate& of(std::uint32_t rule_slot) const noexcept {
    return samples_[rule_slot].rate;
  }

 private:
  struct Sample {
    Rate rate;
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
  };

  std::vector<Sample> samples_{slots::rules};  // by rule slot
};

}  // namespace mcr
