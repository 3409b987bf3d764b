// The daemon as one object: what it owns, and what it does when. One thread, the control thread. In
// run.cpp its life, in program_requests.cpp what clients ask of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/book.hpp"
#include "mcr/config/config.hpp"
#include "mcr/control/event_watch.hpp"
#include "mcr/control/events.hpp"
#include "mcr/control/external_drops.hpp"
#include "mcr/control/relay.hpp"
#include "mcr/host/memory_lock.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/host/softnet.hpp"
#include "mcr/program/control_socket.hpp"
#include "mcr/program/metrics_server.hpp"
#include "mcr/program/rule_requests.hpp"
#include "mcr/program/standby_file.hpp"
#include "mcr/status/status.hpp"

namespace mcr {

class Program {
 public:
  struct Options {
    std::string config = "/etc/mcr/mcr.toml";
    std::string socket{default_control_socket};
    bool plain = false;
  };

  /// Sets all up. Throws Failure, OsError: what ends the program.
  explicit Program(const Options& options);

  /// Gives up what only the set-up needed.
  void give_up_privileges() const;
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  void serve();
  void on_signal();
  void on_network_change();
  void on_timer();
  ControlServer::Reply on_request(const nlohmann::json& request);
  ControlServer::Reply stream_capture(const nlohmann::json& request);
  void resume_captures();
  ControlServer::Reply stream_events(const nlohmann::json& request);
  void look_for_events();
  void watch_standby_file(const std::string& path);
  void follow_standby_file();
  nlohmann::json stand_by(bool standby);
  nlohmann::json reload();
  nlohmann::json switch_input(const nlohmann::json& request);
  nlohmann::json take_over_config();
  nlohmann::json change_rules(const RuleAnswer& answer);
  nlohmann::json apply_rules(const nlohmann::json& request);
  void note_changes(const ConfigDifference& difference);
  void take_over_changes();
  void run_book(const Relay::Commit& commit);
  void tell_changes();
  void take_over_due_changes();
  [[nodiscard]] int poll_timeout() const;
  void tell_reload(const nlohmann::json& answer);
  void say_summary();
  const std::vector<LinkStats>& links();
  Status status();
  const Status& recent_status();
  std::string metrics();
  status::Process about_process() const;
  [[nodiscard]] std::unique_ptr<MetricsServer> new_metrics_server(
      const std::optional<Endpoint>& wanted) const;
  void start_metrics(const std::optional<Endpoint>& wanted);
  void serve_metrics();
  void follow_interfaces();
  void report_external_drops();
  std::string read_totals();

  const Options options_;
  ConfigBook book_;      ///< the files, as last read and changed
  const Config config_;  ///< as it was at the start; the relay knows today's
  UniqueFd signals_;
  ControlServer control_;
  Netlink netlink_;
  UniqueFd timer_;
  std::optional<StandbyFile> standby_file_;
  Relay relay_;
  std::unique_ptr<MetricsServer> metrics_;  ///< null: none
  std::optional<Endpoint> metrics_due_;     ///< refused so far; then there are none
  Reason metrics_refusal_;                  ///< of metrics_due_, with the address
  std::vector<LinkStats> links_;            ///< as last read
  std::optional<Status> recent_status_;     ///< for pages that look on; let go after a while
  Clock::time_point recent_status_at_;
  ExternalDrops external_drops_;
  Clock::time_point external_drops_reported_at_;
  const Softnet softnet_before_ = read_softnet();
  Clock::time_point started_ = Clock::now();
  std::uint64_t generation_ = 1;  ///< of the configuration: grows with each successful reload
  std::string said_;              ///< to the service manager
  Clock::time_point captures_resumed_at_;
  const MemoryLock memory_lock_ = lock_memory();  ///< of all that was made before
  EventRing events_{
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count())};
  EventWatch event_watch_;
  std::uint64_t told_events_ = 0;  ///< the last event that the streams were told of
  std::uint64_t looked_at_ = 0;    ///< the relay's generation() when events were last looked for
  std::optional<ConfigDifference> changes_due_;  ///< of rules, that the relay has not taken over
  Clock::time_point changes_at_;                 ///< when it takes over the next ones
  bool stopping_ = false;
  bool interfaces_due_ = false;  ///< the last change could not be followed; try again
};

/// Packets flow whatever goes wrong here.
template <typename Action>
void survive(Action&& action) {
  try {
    action();
  } catch (const std::exception& error) {
    log::error("{}", error.what());
  }
}

}  // namespace mcr
