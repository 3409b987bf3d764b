// Every worker's sockets, owned: opened for a table before it is published, closed when no worker
// uses them any more. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/config/interface_tuning.hpp"
#include "mcr/dataplane/rx.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/host/source_port.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

struct Config;

/// What the kernel said of an interface's packet sockets since the start, in frames.
struct KernelCount {
  std::uint64_t offered = 0;  ///< passed the filter, dropped ones included
  std::uint64_t dropped = 0;  ///< no room in the socket, or left there when it was closed
};

/// What the workers have read.
struct Received {
  std::uint64_t frames = 0;
  std::uint64_t datagrams = 0;
};

/// Bytes as granted, of one socket; 0: there is none.
struct GrantedBuffers {
  std::uint32_t receive = 0;
  std::uint32_t send = 0;
};

/// What the kernel refused of one interface.
class InterfaceError : public OsError {
 public:
  InterfaceError(std::string interface, const OsError& error)
      : OsError(error), interface_(std::move(interface)) {}

  [[nodiscard]] const std::string& interface() const noexcept { return interface_; }

 private:
  std::string interface_;
};

class SocketPool {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;

  /// `workers` must outlive this.
  explicit SocketPool(Workers& workers) : workers_(workers) {}

  /// What datagrams are sent from where the user wishes no other: one of this run.
  [[nodiscard]] std::uint16_t source_port() const noexcept { return source_port_.number(); }

  /// Whether a port can be had for sending from: no other program has it. It is held until a table
  /// without it is retire()d to. Throws OsError.
  [[nodiscard]] bool hold_source_port(std::uint16_t port);

  /// Opens what the table needs and is not open, and gives all of it the buffers that the config
  /// asks for. On an error nothing is opened. Throws InterfaceError, Failure (config) where that
  /// needs a restart.
  void open(const RuleTable& table, const Config& config);
  /// Lets pass what the table wants besides what passes already. Throws InterfaceError.
  void widen(const RuleTable& table);
  /// Lets pass what the table wants and no more, once it is published. What cannot be narrowed is
  /// logged: its surplus is `unmatched`.
  void narrow(const RuleTable& table) noexcept;
  /// Closes what the table does not need and no worker uses; true when nothing is left to close.
  bool retire(const RuleTable& table, SlotAllocators& allocators);

  /// Reads the kernel's counters, which are cleared by reading.
  void count();
  /// By interface name; what was closed is included.
  [[nodiscard]] const std::map<std::string, KernelCount>& counted() const noexcept {
    return counted_;
  }
  [[nodiscard]] std::map<std::string, GrantedBuffers> granted() const;
  /// What the workers read from this interface since the start.
  [[nodiscard]] Received received(const std::string& interface) const;

  /// For the end, when the workers have stopped.
  void close_all();

 private:
  // One file descriptor per worker in each.
  struct Rx {
    std::string interface;
    RxKey key;
    std::uint8_t link_header = 0;
    std::vector<RxSocket> sockets;
    IngressMode mode = IngressMode::recvmsg;
    std::uint64_t receive_buffer_asked = 0;
    std::uint32_t receive_buffer = 0;
    std::vector<Endpoint> passing;  // sorted; all sockets pass at least this
    bool exact = true;              // and nothing else
    Received before;                // of the slot's earlier use
    KernelCount counted;
  };
  struct Tx {
    std::string interface;
    std::uint16_t source_port = 0;
    std::vector<UniqueFd> sockets;
    std::uint64_t send_buffer_asked = 0;
    std::uint32_t send_buffer = 0;
  };

  void refuse_restart_keys(const RuleTable& table, const Config& config) const;
  void open_rx_slot(const TableRx& wanted, const Config& config);
  void open_tx_slot(const TableTx& wanted);
  void tune(Rx& rx, const Config& config);
  void tune(std::uint16_t slot, Tx& tx, const Config& config);
  void pass(Rx& rx, std::vector<Endpoint> destinations);
  void count(Rx& rx);
  void close(std::uint16_t slot, Rx& rx);
  [[nodiscard]] bool receiving(std::uint16_t slot) const noexcept;
  [[nodiscard]] Received received(std::uint16_t slot) const noexcept;

  Workers& workers_;
  const SourcePort source_port_;
  std::map<std::uint16_t, SourcePort> fixed_ports_;  // of outputs and senders
  std::map<std::uint16_t, Rx> rx_;
  std::map<std::uint16_t, Tx> tx_;
  std::map<std::string, KernelCount> counted_;
  std::map<std::string, Received> received_;  // by sockets that are closed now
};

}  // namespace mcr
