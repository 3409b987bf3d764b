// Owns the sockets of all workers: opened for a table before it is published, closed when no worker
// uses them any more. Theory in socket_pool.cpp. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/config/fanout.hpp"
#include "mcr/config/interface_tuning.hpp"
#include "mcr/control/reload_plan.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/host/audience.hpp"
#include "mcr/host/source_port.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

/// The kernel's counters of an interface's packet sockets since the start, in frames.
struct KernelCount {
  std::uint64_t offered = 0;  ///< passed the filter, dropped ones included
  std::uint64_t dropped = 0;  ///< no room in the socket, or left there when it was closed
};

/// Read by the workers.
struct Received {
  std::uint64_t frames = 0;
  std::uint64_t datagrams = 0;
  std::uint64_t lost_frames = 0;  ///< RxCounters::lost_frames: the kernel's drops, too
};

/// Bytes as granted, of one socket; 0: there is none. A ring of packed blocks is the receive
/// buffer, too.
struct GrantedBuffers {
  std::uint32_t receive = 0;
  std::uint64_t ring = 0;  ///< of blocks
  std::uint32_t send = 0;
};

/// A slot's sockets that the kernel refused to open, or a filter for them.
struct SocketRefusal {
  std::string interface;
  std::variant<RxKey, TxKey> key;
  OsError error;
};

/// All the refusals of one step; as an error it is the first one.
class SocketsRefused : public OsError {
 public:
  /// At least one.
  explicit SocketsRefused(std::vector<SocketRefusal> refusals)
      : OsError(refusals.front().error), refusals_(std::move(refusals)) {}

  [[nodiscard]] const std::vector<SocketRefusal>& refusals() const noexcept { return refusals_; }

 private:
  std::vector<SocketRefusal> refusals_;
};

class SocketPool {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;

  /// `workers` must outlive this.
  explicit SocketPool(Workers& workers) : workers_(workers) {}

  /// Packet filters drop frames with this bit in their mark: see compile_filter(). Before open().
  void leave_out(std::uint32_t relayed) noexcept { relayed_ = relayed; }

  /// The source port of datagrams where the user wishes no other: one for this run.
  [[nodiscard]] std::uint16_t source_port() const noexcept { return source_port_.number(); }

  /// Holds a port to send from; false if another program has it. It is held until retire() finds no
  /// open socket with it. Throws OsError.
  [[nodiscard]] bool hold_source_port(std::uint16_t port);

  /// The sockets that are open now, to plan from.
  [[nodiscard]] OpenSockets opened() const;

  // Before the commit point.
  /// Throws Failure (config) if the table needs of an open socket what only a restart can change.
  void refuse_restart_keys(const RuleTable& table, const InterfaceTunings& tunings) const;
  /// Opens sockets with the buffers that the config asks for. On an error nothing is opened, and
  /// all have been tried. Throws SocketsRefused.
  void open(std::span<const TableRx> rx, std::span<const TableTx> tx,
            const InterfaceTunings& tunings, Fanout fanout);
  /// Throws SocketsRefused, with the other filters as wanted.
  void widen(std::span<const RxFilter> filters);

  // After it. What fails is logged.
  /// A filter that cannot be narrowed has a surplus, which counts as `unmatched`.
  void narrow(std::span<const RxFilter> filters) noexcept;
  /// Gives what is open the buffers that the config asks for.
  void resize_buffers(const InterfaceTunings& tunings) noexcept;
  /// Closes those of the given slots that no worker uses, and gives back the slots of all that is
  /// not open. True when nothing is left to close.
  bool retire(const std::set<std::uint16_t>& rx, const std::set<std::uint16_t>& tx,
              SlotAllocators& allocators);

  /// Reads the kernel's counters, which are cleared by reading. What fails is logged.
  void count() noexcept;
  /// By interface name; what was closed is included.
  [[nodiscard]] const std::map<std::string, KernelCount>& counted() const noexcept {
    return counted_;
  }
  [[nodiscard]] std::map<std::string, GrantedBuffers> granted() const;
  /// The inodes of all sockets that are open.
  [[nodiscard]] SocketInodes inodes() const;
  /// Read by the workers from this interface since the start.
  [[nodiscard]] Received received(const std::string& interface) const;

  /// For the end, when the workers have stopped.
  void close_all() noexcept;

 private:
  // One file descriptor per worker in each, but one alone where an rx slot is of a lane.
  struct Rx {
    std::string interface;
    RxKey key;
    std::uint8_t link_header = 0;
    std::vector<RxSocket> sockets;
    IngressMode mode = IngressMode::automatic;
    std::uint64_t receive_buffer_asked = 0;
    std::uint32_t receive_buffer = 0;
    std::uint64_t ring_bytes = 0;   // of all its sockets
    std::vector<Endpoint> passing;  // sorted; all sockets pass at least this
    bool exact = true;              // and nothing else
    Received before;                // of the slot's earlier use
    std::uint64_t lost_frames = 0;  // of them counted
    KernelCount counted;
  };
  struct Tx {
    std::string interface;
    std::uint16_t source_port = 0;
    std::vector<UniqueFd> sockets;
    std::uint64_t send_buffer_asked = 0;
    std::uint32_t send_buffer = 0;
  };

  [[nodiscard]] std::optional<RingRequest> ring_for(const InterfaceTuning& tuning,
                                                    std::size_t sockets) const;
  void open_rx_slot(const TableRx& wanted, const InterfaceTunings& tunings, Fanout fanout);
  void open_tx_slot(const TableTx& wanted, const InterfaceTunings& tunings);
  void resize_buffer(Rx& rx, const InterfaceTunings& tunings);
  void resize_buffer(std::uint16_t slot, Tx& tx, const InterfaceTunings& tunings);
  void pass(Rx& rx, std::vector<Endpoint> destinations);
  void count(std::uint16_t slot, Rx& rx) noexcept;
  void close(std::uint16_t slot, Rx& rx) noexcept;
  [[nodiscard]] bool sending(std::uint16_t slot) const noexcept;
  [[nodiscard]] bool receiving(std::uint16_t slot) const noexcept;
  [[nodiscard]] Received received(std::uint16_t slot) const noexcept;

  Workers& workers_;
  const SourcePort source_port_;
  std::uint32_t relayed_ = 0;
  std::map<std::uint16_t, SourcePort> fixed_ports_;  // of outputs and senders
  std::map<std::uint16_t, Rx> rx_;
  std::map<std::uint16_t, Tx> tx_;
  std::map<std::string, KernelCount> counted_;
  std::map<std::string, Received> received_;  // by sockets that are closed now
};

}  // namespace mcr
