// The relay as control sees it: brings configuration and interfaces to the workers, and keeps what
// must outlive a rule table (sockets, joins, counters). Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mcr/base/rcu.hpp"
#include "mcr/config/config.hpp"
#include "mcr/control/external_drops.hpp"
#include "mcr/control/gro.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/control/port_guards.hpp"
#include "mcr/control/sender_ports.hpp"
#include "mcr/control/silence_alarm.hpp"
#include "mcr/control/socket_pool.hpp"
#include "mcr/control/watchdog.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"
#include "mcr/rules/totals.hpp"

namespace mcr {

class Relay {
 public:
  using Clock = std::chrono::steady_clock;

  /// How it runs, apart from the configuration.
  struct Options {
    std::string run_folder = "/run/mcr";  ///< for records that must outlive a killed process
    bool plain = false;                   ///< see Tx::Mode
  };

  /// Makes the workers, idle. Throws Failure (unavailable) without io_uring, OsError.
  Relay(const Daemon& daemon, const Options& options);
  ~Relay();

  /// Starts the worker threads. Throws OsError.
  void start();

  /// Makes `config` on these interfaces what runs, without losing a datagram of a rule that stays:
  /// join, compile, open, widen the filters, publish, wait for the workers, narrow, leave, close.
  /// On an exception (OsError, Failure) nothing has changed. A change of [daemon]'s workers, cpus
  /// or fanout is refused (Failure, config).
  void apply(const Config& config, const Interfaces& interfaces, Clock::time_point now);

  /// Makes the same configuration run on other interfaces. One whose change the kernel does not let
  /// us follow (a socket is refused) stays as it was, so that the others are served: false, and its
  /// rules say why; call it again. Throws OsError, Failure, and nothing has changed.
  bool follow(const Interfaces& interfaces, Clock::time_point now);

  /// Once a second: rates, kernel counters, failed joins that are due, sockets to close.
  void tick(Clock::time_point now);

  /// Receives nothing more, sends what is held, leaves all groups.
  void stop();

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const Interfaces& interfaces() const noexcept { return interfaces_; }

  /// "97 rules active, 2 waiting"
  [[nodiscard]] std::string summary() const;
  /// Whether every worker goes round its loop, as of the last tick().
  [[nodiscard]] bool progresses() const noexcept;
  /// What the kernel lost on the interfaces in use. Of the sockets: as of the last tick().
  [[nodiscard]] std::vector<ExternalDropCount> external_drops(
      const std::vector<LinkStats>& links) const;

  // Read-only views, for status. Rules and outputs are named by their place in config().

  /// The workers' view of a rule, and its rates as of the last tick().
  struct RuleActivity {
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
    double pps = 0;
    double bps = 0;  ///< bits a second
    std::optional<Clock::time_point> last_seen;
    Endpoint last_source;
  };
  [[nodiscard]] RuleActivity activity_of(std::size_t rule) const;
  /// With its silence, and with what the kernel refused of its interfaces.
  [[nodiscard]] RuleStatus status_of(std::size_t rule, Clock::time_point now) const;
  [[nodiscard]] RuleTotals totals_of(std::size_t rule) const;
  [[nodiscard]] OutputTotals totals_of(std::size_t rule, std::size_t output) const;
  [[nodiscard]] Totals totals() const;
  /// Reads the kernel's counters, for totals() and sockets() to be of this moment.
  void read_kernel_counters() { sockets_.count(); }
  [[nodiscard]] const SocketPool& sockets() const noexcept { return sockets_; }
  [[nodiscard]] const Memberships& memberships() const noexcept { return memberships_; }
  [[nodiscard]] const SocketPool::Workers& workers() const noexcept { return workers_; }
  /// As of the last tick().
  [[nodiscard]] bool is_stuck(std::size_t worker) const { return watchdogs_[worker].stuck(); }

 private:
  /// Of a rule, between two ticks.
  struct Rate {
    std::uint64_t datagrams_before = 0;
    std::uint64_t bytes_before = 0;
    double pps = 0;
    double bps = 0;  ///< bits a second
  };

  void refuse_restart_keys(const Config& config) const;
  [[nodiscard]] std::vector<RuleStatus> rule_statuses(const Config& config,
                                                      const Interfaces& interfaces) const;
  [[nodiscard]] Reason join_refusal(const Input& input) const;
  void publish(std::unique_ptr<const RuleTable> table);
  void clean_up();
  void free_slots();
  void log_rule_changes(const std::vector<RuleStatus>& before, const Config& config_before) const;
  void sample_workers();
  void sample_rates(double seconds);

  // senders.cpp
  void follow_senders(Clock::time_point now);
  void leave_ports_to_inputs(const Config& config, Clock::time_point now);
  void note_use_of_senders(Clock::time_point now);
  [[nodiscard]] std::vector<TxKey> new_senders(Clock::time_point now);
  [[nodiscard]] bool add_sender(const TxKey& key, const std::string& interface,
                                Clock::time_point now);

  // rejoin.cpp
  void refresh_igmp(Clock::time_point now);

  // watch.cpp
  [[nodiscard]] RuleActivity activity(std::uint32_t slot) const;
  [[nodiscard]] Hearing hearing(std::size_t at, std::uint32_t slot, Clock::time_point now) const;
  void update_silence_alarms(Clock::time_point now);

  Config config_;
  Interfaces interfaces_;
  std::map<std::string, Reason> unfollowed_;  ///< interfaces, and what was refused of them
  std::vector<RuleStatus> statuses_;          ///< one per rule of config_
  SlotAllocators slots_;
  Memberships memberships_;
  RcuPointer<RuleTable> rules_;
  Mapping<RateLimiter> limiters_{slots::outputs};
  SocketPool::Workers workers_;
  std::vector<WorkerWatchdog> watchdogs_;  ///< one per worker
  SocketPool sockets_;
  PortGuards port_guards_;
  SenderPorts senders_;
  bool senders_told_full_ = false;
  GroSwitch gro_;
  std::vector<Rate> rates_;                   ///< by rule slot
  std::vector<SilenceAlarm> silence_alarms_;  ///< by rule slot
  Clock::time_point sampled_at_;
  Clock::time_point reported_at_;  ///< when memberships were last reported unasked
  bool retried_join_succeeded_ =
      false;           ///< a retried join succeeded, and its rule does not run yet
  bool clean_ = true;  ///< nothing of an earlier table is left to free
};

/// How many workers, and where each is pinned: [daemon] workers and cpus, else the CPUs of our
/// affinity mask, at most 4.
[[nodiscard]] std::vector<std::optional<unsigned>> place_workers(const Daemon& daemon);

/// The joins that an input asks for.
[[nodiscard]] std::vector<Group> memberships_of(const Input& input);

/// The joins that a configuration asks for.
[[nodiscard]] std::set<Group> wanted_groups(const Config& config);

}  // namespace mcr
