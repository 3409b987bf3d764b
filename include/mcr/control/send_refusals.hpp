// The outputs whose copies are refused, told to the log: once a minute each, and at once when the
// reason changes. Workers count refusals and note their codes (rules/send_refusal.hpp).
// Control thread only; takes the time from its caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mcr/rules/counters.hpp"
#include "mcr/rules/slot_allocator.hpp"

namespace mcr {

class SendRefusals {
 public:
  using Clock = std::chrono::steady_clock;

  /// Between two lines about the same output and reason.
  static constexpr std::chrono::seconds pause{60};

  /// The lines to log now. `workers`: the counters of each. Looks at the outputs only if a worker
  /// was refused something since the last look.
  [[nodiscard]] std::vector<std::string> report(const SlotAllocator<OutputKey>& outputs,
                                                std::span<const CounterBlock* const> workers,
                                                Clock::time_point now);

 private:
  struct Known {
    std::uint64_t seen = 0;  ///< datagrams refused, as of the last look
    std::uint64_t untold = 0;
    std::uint64_t code = 0;  ///< that was told
    Clock::time_point quiet_until{};
  };

  std::uint64_t seen_ = 0;  ///< refusals of all workers
  std::map<OutputKey, Known> known_;
};

}  // namespace mcr
