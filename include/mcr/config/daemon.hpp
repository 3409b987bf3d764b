// The table [daemon]: how the program as a whole runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/fanout.hpp"
#include "mcr/config/fast_path_mode.hpp"
#include "mcr/config/shard.hpp"

namespace mcr {

/// Without a frame a worker waits until the kernel wakes it, or asks again at once, which
/// takes a CPU of its own.
enum class Idle : std::uint8_t { sleep, poll };

struct Daemon {
  std::optional<unsigned> workers;  ///< nothing: "auto"
  std::vector<unsigned> cpus;       ///< one for each worker; empty: the user pins none
  Fanout fanout = Fanout::hash;
  FastPathMode fast_path = FastPathMode::off;
  log::Level log_level = log::Level::info;
  /// How long a worker waits for more frames before it forwards those it has; 0: it does not wait.
  std::chrono::microseconds batch_wait{0};
  Idle idle = Idle::sleep;
  std::optional<Endpoint> metrics;         ///< where Prometheus asks (TCP); nothing: no endpoint
  std::vector<std::string> metrics_hosts;  ///< names by which a browser may ask there
  /// Interval of membership reports that nobody asked for, for networks without a querier; 0:
  /// never.
  std::chrono::microseconds rejoin{0};
  /// Interval of lookups of the hosts that outputs send to.
  std::chrono::microseconds resolve_every = std::chrono::seconds(30);
  /// Folders: rules.d in them has the rules that were added at run time, those that stay in `state`
  /// and those until the next boot in `runtime`. Absolute, or "": there are none.
  std::string state{};
  std::string runtime{};
  std::optional<Shard> shard{};  ///< nothing: this relay takes all rules
  std::string standby{};         ///< while a file of this path exists, nothing is sent; "": never

  friend bool operator==(const Daemon&, const Daemon&) = default;
};

}  // namespace mcr
