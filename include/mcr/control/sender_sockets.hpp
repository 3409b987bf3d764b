// Follows the senders whose source ports are preserved: a port that went by a raw socket gets
// sockets of its own, and a silent one loses them (sender_ports.hpp). Control thread only.
#pragma once

#include <string>
#include <vector>

#include "mcr/control/sender_ports.hpp"
#include "mcr/control/socket_pool.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

class SenderSockets {
 public:
  using Clock = SenderPorts::Clock;

  /// Ports for which the next table has tx slots, or has none any more.
  struct Change {
    std::vector<TxKey> added;
    bool forgotten = false;

    explicit operator bool() const noexcept { return forgotten || !added.empty(); }
  };

  /// Both outlive this.
  SenderSockets(SocketPool::Workers& workers, SocketPool& sockets)
      : workers_(workers), sockets_(sockets) {}

  /// Brings what the workers have noted since the last call into `ports`. `tx`: of the table that
  /// they use. Throws OsError.
  Change follow(SenderPorts& ports, const std::vector<TableTx>& tx,
                const SlotAllocator<TxKey>& slots, Clock::time_point now);

 private:
  void note_use(SenderPorts& ports, const SlotAllocator<TxKey>& slots, Clock::time_point now);
  [[nodiscard]] bool add(SenderPorts& ports, const TxKey& key, const std::string& interface,
                         Clock::time_point now);

  SocketPool::Workers& workers_;
  SocketPool& sockets_;
  bool told_full_ = false;
};

}  // namespace mcr
