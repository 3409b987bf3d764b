// Frames of an interface that the kernel counts as not delivered.
//
// A counter is shown as loss only if nothing but loss raises it:
//   rx_missed_errors  the NIC had no room: loss.
//   rx_dropped        no loss: the stack counts here each frame whose protocol nobody on the host
//                     speaks (LLDP, PTP) or whose VLAN has no interface (__netif_receive_skb_core).
//                     A full input queue of a CPU (softnet_stat has that alone) and, with some
//                     drivers, a failed allocation count here, too, and cannot be told apart.
//   tx_dropped        the driver or the device's queue gave up: loss, also of other programs.
//   qdisc drops       loss; a shaping discipline does it on purpose. The ingress disciplines, which
//                     are filters, are left out.
//   tp_drops          of our own packet sockets: loss (SocketPool).
//   softnet dropped   loss, somewhere on this host; squeezed: no loss, a CPU's time slice ended.
#pragma once

#include <cstdint>
#include <string>

namespace mcr {

/// In frames, since the interface was made.
struct LinkStats {
  std::string name;
  unsigned index = 0;
  std::uint64_t rx_missed = 0;   ///< the NIC had no room (rx_missed_errors)
  std::uint64_t rx_dropped = 0;  ///< mostly frames that nobody here wants: see above
  std::uint64_t tx_dropped = 0;  ///< given up by the driver (tx_dropped)
  std::uint64_t qdisc_drops =
      0;  ///< by the root queueing discipline; the kernel's 32 bits, wrapping
};

}  // namespace mcr
