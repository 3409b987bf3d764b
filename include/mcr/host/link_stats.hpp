// Losses of an interface that the kernel counts.
#pragma once

#include <cstdint>
#include <string>

namespace mcr {

/// Losses outside our sockets, in packets, since the interface was made.
struct LinkStats {
  std::string name;
  unsigned index = 0;
  /// The device had no buffer for them: the host was too slow (rx_missed_errors).
  std::uint64_t rx_missed = 0;
  /// Lost between driver and protocol, as by a full backlog of a veth or virtio device; but also
  /// frames of protocols that nobody here speaks (LLDP): a slow growth means nothing (rx_dropped).
  std::uint64_t rx_dropped = 0;
  std::uint64_t tx_dropped = 0;  ///< given up by the driver (tx_dropped)
  std::uint64_t qdisc_drops =
      0;  ///< by the root queueing discipline; the kernel's 32 bits, wrapping
};

}  // namespace mcr
