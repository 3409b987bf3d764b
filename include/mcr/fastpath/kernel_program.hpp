// The program relay.bpf.c, loaded into the kernel, and its maps (bpf(2)). Control thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "mcr/base/fd.hpp"
#include "mcr/fastpath/fast_counters.hpp"
#include "mcr/fastpath/relay.h"

namespace mcr::fastpath {

struct PlainTable;

class KernelProgram {
 public:
  /// The name of its filters in traffic control, as far as the colon.
  static constexpr std::string_view name = "mcr_relay";

  /// Loads it. `mark`: the bit that it sets in skb->mark of a frame that it has relayed. Throws
  /// OsError, Failure (unavailable: this mcr was built without it).
  explicit KernelProgram(std::uint32_t mark);
  ~KernelProgram();
  KernelProgram(const KernelProgram&) = delete;
  KernelProgram& operator=(const KernelProgram&) = delete;

  /// Its descriptor, to attach it by.
  [[nodiscard]] Fd fd() const noexcept;

  /// A table in the kernel that nobody uses yet, and counters for all that it names. Throws
  /// OsError.
  [[nodiscard]] UniqueFd make_table(const PlainTable& table);
  /// Exchanges the table for another one, or for none: the program then leaves every frame alone.
  /// When it returns no CPU uses the old one any more. Returns 0 or an errno value.
  int use_table(Fd table) noexcept;

  /// True: on this interface nobody but UDP sockets can hear what is relayed.
  void set_udp_only(unsigned interface, bool only) noexcept;

  void read(FastCounters& counters) const;

  // Counters for the slot's next owner. Only while no table names the slot.
  void forget_rule(std::uint32_t slot) noexcept;
  void forget_output(std::uint32_t slot) noexcept;
  void forget_interface(std::uint32_t index) noexcept;

 private:
  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
};

/// True if this mcr was built with the program.
[[nodiscard]] bool is_built_in() noexcept;

/// Attaches the program to an interface's ingress at this priority, replacing what a killed daemon
/// has left there. True: the hook (clsact) was made for it. Throws OsError; EEXIST: a filter of
/// somebody else has the priority.
bool attach(Fd program, unsigned interface, std::uint32_t priority);
/// Takes it away, if it is there; with `hook` also the hook, if nothing else hangs on it. Returns 0
/// or an errno value.
int detach(unsigned interface, std::uint32_t priority, bool hook) noexcept;
/// True if a filter of ours is there.
[[nodiscard]] bool is_attached(unsigned interface, std::uint32_t priority);

}  // namespace mcr::fastpath
