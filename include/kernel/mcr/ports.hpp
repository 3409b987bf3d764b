// The sockets of one worker, by port number: how control hands sockets to a worker and takes them
// back. Control fills a cell before it publishes a table that names the port, and clears it when
// the worker has let go; in between the cell does not change.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "mcr/block_ring.hpp"
#include "mcr/counters.hpp"
#include "mcr/fd.hpp"

namespace mcr {

struct IngressPort {
  Fd socket;
  BlockReader blocks;            ///< of the socket's ring, if it has one; then the worker's
  std::uint8_t link_header = 0;  ///< bytes before the IP header
  /// Written by the worker: a receive is armed, or a frame of this port is in its hands.
  std::atomic<bool> busy{false};
  /// Written by the worker: receiving failed this often in a row; it tries again when woken.
  std::atomic<std::uint32_t> failures{0};
};

struct EgressPort {
  Fd socket;
  /// Bytes, as the kernel accounts (SO_SNDBUF). Control may change it at any time.
  std::atomic<std::uint32_t> send_buffer{0};
  /// Written by the worker: messages queued here, or with the kernel and unanswered.
  std::atomic<std::uint32_t> unresolved{0};
};

struct Ports {
  std::array<IngressPort, slots::ingress> ingress;
  std::array<EgressPort, slots::egress> egress;
};

}  // namespace mcr
