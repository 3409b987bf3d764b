// The sockets of one worker, by slot: how control hands sockets to a worker and takes them back.
// Control assigns a slot before it publishes a table that names it, and again only when the worker
// has let go of it; in between the slot does not change. Nothing of a slot's last owner is left for
// the next one. On the way back, what a worker tells of senders' sockets.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "mcr/base/fd.hpp"
#include "mcr/dataplane/rx_ring.hpp"
#include "mcr/rules/counters.hpp"

namespace mcr {

struct RxSlot {
  Fd socket;                     ///< not valid: the slot is of a lane of another worker
  BlockReader blocks;            ///< of the socket's ring, if it has one; then the worker's
  std::uint8_t link_header = 0;  ///< bytes before the IP header
  /// Written by the worker: a receive is armed, or a frame of this port is in its hands.
  std::atomic<bool> busy{false};
  /// Written by the worker: receiving failed this often in a row; it tries again when woken.
  std::atomic<std::uint32_t> failures{0};

  /// Control thread. May throw std::bad_alloc. `ring`: empty if the socket has none. Both are
  /// borrowed.
  void assign(Fd new_socket, Blocks ring, std::uint8_t link_header_bytes) {
    socket = new_socket;
    blocks = BlockReader(ring);
    link_header = link_header_bytes;
    failures.store(0, std::memory_order_relaxed);
  }
};

struct TxSlot {
  Fd socket;
  /// Bytes, as the kernel accounts (SO_SNDBUF). Control may change it at any time.
  std::atomic<std::uint32_t> send_buffer{0};
  /// Written by the worker: messages queued here, or with the kernel and unanswered.
  std::atomic<std::uint32_t> unresolved{0};
  /// Set by the worker where senders have tx slots of their own: it has been used.
  std::atomic<bool> used{false};
};

/// The last source ports that were sent by a raw tx slot: one worker notes them, control takes
/// them. Each has its one place; of two that share it the later one stays, until the other comes
/// again.
class SenderNotes {
 public:
  struct Note {
    std::uint16_t tx_slot = 0;
    std::uint16_t source_port = 0;
  };

  /// Port 0 is none: no socket can be bound to it.
  void add(Note note) noexcept {
    notes_[(note.source_port ^ note.tx_slot) % notes_.size()].store(
        std::uint32_t{note.tx_slot} << 16U | note.source_port, std::memory_order_relaxed);
  }

  /// Forgets what was noted of this slot.
  void forget(std::uint16_t tx_slot) noexcept {
    for (auto& place : notes_) {
      auto bits = place.load(std::memory_order_relaxed);
      if (bits >> 16U == tx_slot) place.compare_exchange_strong(bits, 0, std::memory_order_relaxed);
    }
  }

  /// Calls handle(note) for each that came since.
  template <typename Handle>
  void drain(Handle&& handle) {
    for (auto& place : notes_) {
      const auto bits = place.exchange(0, std::memory_order_relaxed);
      const auto source_port = static_cast<std::uint16_t>(bits);
      if (source_port != 0) handle(Note{static_cast<std::uint16_t>(bits >> 16U), source_port});
    }
  }

 private:
  std::array<std::atomic<std::uint32_t>, 64> notes_{};
};

struct WorkerSockets {
  std::array<RxSlot, slots::rx> rx;
  std::array<TxSlot, slots::tx> tx;
  SenderNotes sender_notes;

  /// Control thread. Borrows the socket.
  void assign_tx(std::uint16_t slot, Fd socket) noexcept {
    tx[slot].socket = socket;
    tx[slot].used.store(false, std::memory_order_relaxed);
    sender_notes.forget(slot);
  }
};

}  // namespace mcr
