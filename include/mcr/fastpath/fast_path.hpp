// The kernel's way as control sees it: loaded once, attached to the inputs' interfaces, and given a
// new plain table with each reload. Theory in README.md of this room. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mcr/config/fast_path_mode.hpp"
#include "mcr/fastpath/fast_counters.hpp"
#include "mcr/fastpath/instance.hpp"
#include "mcr/fastpath/kernel_program.hpp"
#include "mcr/fastpath/plain_table.hpp"
#include "mcr/host/audience.hpp"
#include "mcr/rules/reason.hpp"

namespace mcr::fastpath {

class FastPath {
 public:
  /// Loads the program, unless it is off, and removes what a killed daemon has left. Where it is
  /// not available, says so once, and everything goes the worker's way; with `require` throws
  /// Failure (unavailable).
  explicit FastPath(FastPathMode mode);
  ~FastPath();
  FastPath(const FastPath&) = delete;
  FastPath& operator=(const FastPath&) = delete;

  [[nodiscard]] bool runs() const noexcept { return program_ != nullptr; }
  /// Why it does not run.
  [[nodiscard]] const Reason& reason() const noexcept { return reason_; }
  /// The bit of a frame's mark by which a packet filter knows what was relayed; 0: there is none.
  [[nodiscard]] std::uint32_t mark() const noexcept { return runs() ? instance_->mark() : 0; }

  // Before the commit point of a reload.
  /// Attaches the program where it is missing, and makes the table that publish() will use. What
  /// the kernel refuses goes the worker's way. Throws nothing but std::bad_alloc.
  void prepare(const std::vector<Rule>& rules, const Interfaces& interfaces,
               const std::vector<RuleStatus>& statuses, const SlotAllocators& slots,
               std::uint16_t source_port);

  // At and after it.
  /// Exchanges the tables.
  void publish() noexcept;
  /// Takes the program from interfaces that the published table does not name; also before the
  /// commit point, when the reload is refused.
  void detach_unused() noexcept;

  /// True: it relays nothing from now on, and neither does what prepare() makes. False: what
  /// prepare() makes does.
  void stand_by(bool standby) noexcept;

  /// Once a second: puts back a filter that somebody has taken away.
  void tick() noexcept;
  /// Looks who on this host can hear what is relayed, for `consume = "auto"`. `own`: sockets of
  /// this relay.
  void watch_audience(const SocketInodes& own) noexcept;
  /// Readable when another relay has begun to listen: take_news(), then watch_audience(). Not
  /// valid() where the program does not run.
  [[nodiscard]] Fd news() const noexcept { return runs() ? instance_->news() : Fd{}; }
  void take_news() const noexcept {
    if (runs()) instance_->take_news();
  }
  /// Tells other relays that this one has begun to listen.
  void tell_others() const noexcept { Instance::tell_others(runs() ? &*instance_ : nullptr); }
  /// Takes the program away everywhere. Until then what it takes is relayed.
  void stop() noexcept;

  /// Reads what the kernel has counted.
  void read() noexcept;
  [[nodiscard]] const FastCounters& counters() const noexcept { return counters_; }
  /// Frames and datagrams that it took from an interface of this name since the start.
  [[nodiscard]] InterfaceCount received(const std::string& interface) const;

  /// The way of each rule of the configuration that runs.
  [[nodiscard]] const std::vector<RulePath>& paths() const noexcept { return paths_; }

  // For a slot's next owner; once publish() has returned for a table without it.
  void forget_rule(std::uint32_t slot) noexcept;
  void forget_output(std::uint32_t slot) noexcept;

 private:
  /// An interface with our filter.
  struct Attached {
    std::string name;
    std::uint32_t incarnation = 0;
    bool made_hook = false;
    bool udp_only = false;  ///< see KernelProgram::set_udp_only()
  };

  void remove_left_behind() const;
  void attach_to(const std::set<unsigned>& wanted, const Interfaces& interfaces);
  void close(unsigned index) noexcept;
  [[nodiscard]] bool is_heard(unsigned index, const std::string& name,
                              const SocketInodes& own) const;

  Reason reason_;
  bool stands_by_ = false;
  std::optional<Instance> instance_;
  std::unique_ptr<KernelProgram> program_;
  std::map<unsigned, Attached> attached_;  ///< by index
  Refusals refusals_;
  std::map<std::string, InterfaceCount> received_;  ///< by interfaces that are left
  FastCounters counters_;
  std::vector<RulePath> paths_;
  std::set<unsigned> used_;  ///< interfaces that the published table names
  // Made by prepare(), used by publish().
  PlainTable next_;
  UniqueFd next_table_;
};

}  // namespace mcr::fastpath
