// One change of what runs: to another configuration, or to the same one on other interfaces. Theory
// in reload.cpp. Control thread only.
#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <vector>

#include "mcr/base/rcu.hpp"
#include "mcr/config/config.hpp"
#include "mcr/control/gro.hpp"
#include "mcr/control/host_view.hpp"
#include "mcr/control/leg_watch.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/control/port_guards.hpp"
#include "mcr/control/reload_plan.hpp"
#include "mcr/control/sender_ports.hpp"
#include "mcr/control/socket_pool.hpp"
#include "mcr/fastpath/fast_path.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/reason.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

/// The rules that run. A reload makes the next one beside it and exchanges the two at the commit
/// point.
struct Running {
  Config config;
  Interfaces interfaces;
  HostView view;                     ///< what the config's rules see of `interfaces`
  std::vector<RuleStatus> statuses;  ///< one per rule of `config`
  SenderPorts senders;
  SocketRefusals refused;  ///< not tried again by a reload; its inputs and outputs wait
};

/// Call its steps in the order in which they stand here. Destroying it before publish() has
/// returned undoes what was done.
class Reload {
 public:
  using Clock = std::chrono::steady_clock;

  /// The parts of the relay that a reload works on. All of it outlives the reload.
  struct Parts {
    Running& running;
    SlotAllocators& slots;
    Memberships& memberships;
    RcuPointer<RuleTable>& rules;
    SocketPool::Workers& workers;
    SocketPool& sockets;
    PortGuards& port_guards;
    GroSwitch& gro;
    fastpath::FastPath& fast_path;
    const LegWatch& leg_watch;
  };

  Reload(const Parts& parts, const Config& config, const Interfaces& interfaces,
         const SocketRefusals& refused, Clock::time_point now);
  ~Reload();
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  // Before the commit point. They throw OsError (of single sockets: SocketsRefused) and Failure.
  void join_groups();
  void compile();
  void open_sockets();
  void widen_filters();
  void prepare_fast_path();

  /// The commit point. Throws std::bad_alloc, and then nothing has changed; else the new rules run.
  void publish();

  // After it. What fails is logged.
  void tell_rule_changes() const noexcept;
  void adjust_host() noexcept;
  void narrow_filters() noexcept;
  void leave_groups() noexcept;

 private:
  [[nodiscard]] std::set<Group> groups_for(const Config& config) const;
  [[nodiscard]] Reason join_refusal(const Input& input) const;
  void undo() noexcept;
  void await_workers() const noexcept;

  const Parts parts_;
  const Clock::time_point now_;
  const std::set<Group> groups_before_;
  Running other_;  ///< until the commit point what shall run, from then on what ran before
  ReloadPlan plan_;
  std::unique_ptr<RuleTable> table_;
  Clock::time_point compiling_since_;
  bool committed_ = false;
};

/// Each event as a line of the log.
void log_events(const MembershipEvents& events);

}  // namespace mcr
