// Frames that NIC, driver, backlog, socket or queueing discipline lost before a worker had them or
// after it sent them. The kernel counts them. This turns the growth of its counters into lines for
// the log, few enough for an operator to read.
// Takes the time from its caller. Not thread-safe.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mcr {

enum class DropPlace : std::uint8_t {
  nic,         ///< no descriptor of the NIC was free (rx_missed_errors)
  backlog,     ///< a CPU's input queue was full (softnet_stat); of the host, no interface
  socket,      ///< our packet socket was full
  discipline,  ///< the queueing discipline dropped
  driver,      ///< the driver gave up on sending (tx_dropped)
};

/// A counter of the kernel, in frames since an unknown time.
struct ExternalDropCount {
  std::string interface;  ///< "" for the host
  DropPlace place = DropPlace::nic;
  std::uint64_t frames = 0;
};

class ExternalDrops {
 public:
  using Clock = std::chrono::steady_clock;

  /// Between two lines about the same place.
  static constexpr std::chrono::seconds pause{60};

  /// The lines to log now, each with what to do. The first look at a counter only remembers it; a
  /// counter that is not in `counts` is forgotten.
  [[nodiscard]] std::vector<std::string> report(std::span<const ExternalDropCount> counts,
                                                Clock::time_point now);

 private:
  using Key = std::pair<std::string, DropPlace>;
  struct Known {
    std::uint64_t seen = 0;    ///< the counter at the last look
    std::uint64_t untold = 0;  ///< frames
    Clock::time_point quiet_until{};
  };

  std::map<Key, Known> known_;
};

}  // namespace mcr
