// The relay as control sees it: brings configuration and interfaces to the workers, and keeps what
// must outlive a rule table (sockets, joins, counters). Theory in relay.cpp. Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mcr/base/rcu.hpp"
#include "mcr/control/capture_reader.hpp"
#include "mcr/control/external_drops.hpp"
#include "mcr/control/gro.hpp"
#include "mcr/control/gro_watch.hpp"
#include "mcr/control/heard_services.hpp"
#include "mcr/control/host_names.hpp"
#include "mcr/control/igmp_refresh.hpp"
#include "mcr/control/leg_lookout.hpp"
#include "mcr/control/leg_watch.hpp"
#include "mcr/control/loop_alarm.hpp"
#include "mcr/control/loop_watch.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/control/next_hops.hpp"
#include "mcr/control/port_guards.hpp"
#include "mcr/control/quality_alarm.hpp"
#include "mcr/control/rule_activity.hpp"
#include "mcr/control/searches.hpp"
#include "mcr/control/send_refusals.hpp"
#include "mcr/control/sender_sockets.hpp"
#include "mcr/control/silence_alarm.hpp"
#include "mcr/control/socket_pool.hpp"
#include "mcr/control/stream_watch.hpp"
#include "mcr/control/watchdog.hpp"
#include "mcr/control/worker_load.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/fastpath/fast_path.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/host/join_limits.hpp"
#include "mcr/host/name_lookup.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/loop_guard.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"
#include "mcr/rules/totals.hpp"

namespace mcr {

struct Config;
struct Daemon;
struct Rule;
struct Running;

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

  /// Starts the threads of the workers, and the one that looks at inputs. Throws OsError.
  void start();

  /// Makes `config` on these interfaces what runs, without losing a datagram of a rule that stays.
  /// On an exception (OsError, Failure) nothing has changed. A change of [daemon]'s workers, cpus
  /// or fanout is refused (Failure, config), and so is one that needs a socket which the kernel
  /// refuses, unless it has refused that before. See reload.cpp.
  void apply(const Config& config, const Interfaces& interfaces, Clock::time_point now);

  /// The first apply(). Inputs and outputs whose sockets the kernel refuses wait; tick() tries them
  /// again. `commit` is the last step before the rules run: what it throws undoes the rest. Throws
  /// OsError, Failure.
  using Commit = std::function<void()>;
  void begin(const Config& config, const Interfaces& interfaces, Clock::time_point now,
             const Commit& commit = {});

  /// Makes the same configuration run on other interfaces, if its rules can see a difference.
  /// Sockets are refused as in begin(). Throws OsError, Failure, and nothing has changed.
  void follow(const Interfaces& interfaces, Clock::time_point now);

  /// Once a second: rates, kernel counters, failed joins and sockets that are due, sockets to
  /// close.
  void tick(Clock::time_point now);

  /// Readable when another relay has begun to listen at an interface; the caller polls, and then
  /// calls look_who_listens(). Not valid() without the kernel's way.
  [[nodiscard]] Fd listener_news() const noexcept { return fast_path_.news(); }
  void look_who_listens(Clock::time_point now) noexcept;

  /// Searches that reflectors send on; the caller polls and serves them.
  [[nodiscard]] Searches& searches() noexcept { return searches_; }
  /// Begins to capture a rule; `wish` says what, but for its slots. Ends within a second or two of
  /// the reader's end. Throws Failure (usage: no such rule, or it has no past; unavailable: too
  /// many run), OsError.
  [[nodiscard]] std::shared_ptr<CaptureReader> capture(const std::string& rule, CaptureWish wish);
  /// Returns what the capture has seen since the last call: blocks of a capture file. Nothing at
  /// first, until the rule's past can be read, if it looks back.
  [[nodiscard]] std::string read_capture(CaptureReader& reader) const;
  [[nodiscard]] bool captures() const noexcept { return !captures_.empty(); }
  /// Datagrams that captures should have and have not, since the start.
  [[nodiscard]] std::uint64_t capture_missed() const noexcept;
  /// True: sends nothing from now on. Sockets, joins and everything else go on. Throws OsError,
  /// Failure.
  void stand_by(bool standby, Clock::time_point now);
  [[nodiscard]] bool stands_by() const noexcept { return stands_by_; }

  /// Readable when inputs of rules with `failover` are to be joined or left; the caller polls, and
  /// then calls follow_join_news().
  [[nodiscard]] Fd join_news() const noexcept { return leg_lookout_.join_news(); }
  void follow_join_news(Clock::time_point now) noexcept;
  [[nodiscard]] const LegWatch& leg_watch() const noexcept { return leg_watch_; }
  /// See LegWatch::put_on_air().
  [[nodiscard]] std::string put_on_air(const std::string& rule, std::optional<std::size_t> input,
                                       std::optional<std::chrono::microseconds> time,
                                       Clock::time_point now);

  /// Receives nothing more, sends what is held, leaves all groups.
  void stop();

  /// Outputs with a host are those to the addresses that it has now.
  [[nodiscard]] const Config& config() const noexcept;
  [[nodiscard]] const std::vector<Rule>& rules() const noexcept;  ///< those of config()
  [[nodiscard]] const Interfaces& interfaces() const noexcept;

  /// The rule table's: grows by 1 with each publication.
  [[nodiscard]] std::uint64_t generation() const noexcept { return rules_.latest().generation(); }

  /// "97 rules active, 2 waiting"
  [[nodiscard]] std::string summary() const;
  /// True if every worker went round its loop, as of the last tick().
  [[nodiscard]] bool progresses() const noexcept;
  /// Frames that the kernel lost on the interfaces in use; those of sockets as of the last tick().
  [[nodiscard]] std::vector<ExternalDropCount> external_drops(
      const std::vector<LinkStats>& links) const;

  // Read-only views, for status. Rules and outputs are named by their place in config().

  /// How long sampled frames stayed here, if the rule is inspected.
  [[nodiscard]] Latency latency_of(std::size_t rule) const;
  /// Its rates are as of the last tick().
  [[nodiscard]] RuleActivity activity_of(std::size_t rule) const;
  /// The state to show: that of its sockets and joins, and what its traffic says (RuleFindings).
  [[nodiscard]] RuleStatus status_of(std::size_t rule, Clock::time_point now) const;
  [[nodiscard]] RuleTotals totals_of(std::size_t rule) const;
  [[nodiscard]] OutputTotals totals_of(std::size_t rule, std::size_t output) const;
  /// The relay that carries this output's datagrams; nothing: this one does.
  [[nodiscard]] std::optional<Carriers::Other> carrier_of(std::size_t rule,
                                                          std::size_t output) const;
  /// Null: the rule is not inspected, or the first tick() has yet to come.
  [[nodiscard]] const StreamSight* stream_of(std::size_t rule, std::size_t input) const;
  /// The next hops of unicast outputs, as of the last tick().
  [[nodiscard]] const NextHops& next_hops() const noexcept { return next_hops_; }
  [[nodiscard]] Totals totals() const;
  /// Reads the kernel's counters, for totals() and sockets() to be of this moment.
  void read_kernel_counters() noexcept;
  [[nodiscard]] const fastpath::FastPath& fast_path() const noexcept { return fast_path_; }
  [[nodiscard]] const fastpath::RulePath& path_of(std::size_t rule) const {
    return fast_path_.paths()[rule];
  }
  /// The hosts that outputs send to.
  [[nodiscard]] const HostBook& hosts() const noexcept { return host_names_.book(); }
  [[nodiscard]] const SocketPool& sockets() const noexcept { return sockets_; }
  [[nodiscard]] Searches::Statistics searches_of(const std::string& reflector) const {
    return searches_.statistics(reflector);
  }
  [[nodiscard]] const HeardServices& heard_services() const noexcept { return heard_services_; }
  [[nodiscard]] const GroWatch& gro_watch() const noexcept { return gro_watch_; }
  [[nodiscard]] const Memberships& memberships() const noexcept { return memberships_; }
  [[nodiscard]] const SocketPool::Workers& workers() const noexcept { return workers_; }
  /// As of the last tick().
  [[nodiscard]] bool is_stuck(std::size_t worker) const { return watchdogs_[worker].stuck(); }
  [[nodiscard]] const WorkerLoad& load_of(std::size_t worker) const { return loads_[worker]; }

 private:
  void apply(const Config& config, const Interfaces& interfaces, const SocketRefusals& refused,
             Clock::time_point now, const Commit& commit = {});
  void apply_in_part(const Config& config, const Interfaces& interfaces, Clock::time_point now,
                     const Commit& commit = {});
  void note(const SocketRefusal& refusal, SocketRefusals& refused, Clock::time_point now);
  [[nodiscard]] bool is_known(const SocketRefusal& refusal) const;
  [[nodiscard]] const std::vector<RuleStatus>& statuses() const noexcept;  ///< by place in rules()
  void retry_sockets(Clock::time_point now);
  void refuse_restart_keys(const Config& config) const;
  void retire() noexcept;
  void free_slots();
  void forget_hosts();
  void watch_audience() noexcept;
  void hurry_joins(Clock::time_point now);
  void retry_joins(Clock::time_point now);
  void follow_join_changes(Clock::time_point now) noexcept;
  void follow_senders(Clock::time_point now);
  void follow_hosts(Clock::time_point now);
  void sample_workers(Clock::time_point now);
  void tell_send_refusals(Clock::time_point now);
  void look_at_next_hops();
  [[nodiscard]] Hearing hearing(std::size_t at, Clock::time_point now) const;
  void update_silence_alarms(Clock::time_point now) noexcept;
  void update_silence_alarm(std::size_t at, Clock::time_point now);
  void update_quality_alarms(Clock::time_point now) noexcept;
  void update_quality_alarm(std::size_t at, Clock::time_point now);
  void publish_captures();
  void end_captures();
  /// A capture that runs keeps datagrams of this slot.
  [[nodiscard]] bool captures_rule(std::uint32_t slot) const noexcept;
  [[nodiscard]] bool captures_output(std::uint32_t slot) const noexcept;
  [[nodiscard]] std::shared_ptr<const Past> past_for(const std::string& rule,
                                                     const CaptureWish& wish) const;
  [[nodiscard]] QualityLook quality_look(std::size_t at, Clock::time_point now) const;
  void update_input_alarms(std::size_t at, Clock::time_point now);
  [[nodiscard]] QualityLook input_look(std::size_t at, std::size_t input,
                                       Clock::time_point now) const;
  [[nodiscard]] std::string degradation_of(std::size_t at) const;
  void update_loop_alarms(Clock::time_point now) noexcept;
  void update_loop_alarm(std::size_t at, Clock::time_point now);
  void watch_for_loops(Clock::time_point now);
  [[nodiscard]] std::string loop_reason(std::uint32_t slot) const;

  std::unique_ptr<Running> running_;
  SlotAllocators slots_;
  Memberships memberships_;
  RcuPointer<RuleTable> rules_;
  Mapping<RateLimiter> limiters_{slots::outputs};
  LoopGuard loop_guard_;
  SocketPool::Workers workers_;
  std::vector<WorkerWatchdog> watchdogs_;  ///< one per worker
  std::vector<WorkerLoad> loads_;          ///< likewise
  SocketPool sockets_;
  PortGuards port_guards_;
  SenderSockets sender_sockets_;
  GroSwitch gro_;
  Searches searches_;
  HeardServices heard_services_;
  IgmpRefresh igmp_refresh_;
  GroWatch gro_watch_;
  LoopWatch loop_watch_;
  StreamWatch stream_watch_;
  LegWatch leg_watch_;
  LegLookout leg_lookout_{leg_watch_};
  RuleRates rates_;
  std::vector<SilenceAlarm> silence_alarms_;              ///< by rule slot
  std::vector<LoopAlarm> loop_alarms_;                    ///< likewise
  std::map<std::uint32_t, QualityAlarm> quality_alarms_;  ///< likewise, of rules that have one
  /// By rule slot and input, of rules with `failover`: there each input is judged by itself.
  std::map<std::pair<std::uint32_t, std::size_t>, QualityAlarm> input_alarms_;
  struct RunningCapture {
    std::string rule;
    std::weak_ptr<const CaptureReader> reader;
    std::shared_ptr<const Capture> capture;
  };
  std::vector<RunningCapture> captures_;
  std::uint64_t capture_missed_ = 0;  ///< by those that have ended
  fastpath::FastPath fast_path_;
  SendRefusals send_refusals_;
  NextHopLookup next_hop_lookup_;
  NextHops next_hops_{[this](const Way& way) { return next_hop_lookup_.find(way); }};
  std::uint64_t next_hops_watched_ = 0;  ///< of that generation()
  NameLookup name_lookup_;
  HostNames host_names_;
  bool hosts_due_ = false;  ///< what is known of one has changed, and the rules have yet to follow
  Clock::time_point sampled_at_;
  Clock::time_point looked_who_listens_{};
  JoinLimits join_limits_;    ///< as last read, while a join has failed
  std::uint64_t leaves_ = 0;  ///< until join_limits_ were read
  Clock::duration sockets_backoff_{};
  Clock::time_point sockets_retry_at_;
  bool retried_join_succeeded_ = false;  ///< and its rule does not run yet
  bool stands_by_ = false;
  bool all_retired_ = true;  ///< nothing of an earlier table is left to free
};

}  // namespace mcr
