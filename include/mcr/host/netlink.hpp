// Links, addresses and queueing disciplines of this network namespace, by rtnetlink(7).
// Needs no privilege. For the control thread only: requests wait for the kernel's answer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

/// Losses outside our sockets, in packets, since the interface exists.
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

class Netlink {
 public:
  /// Opens the sockets and subscribes. Throws OsError.
  Netlink();

  /// Readable when events are pending: call drain().
  [[nodiscard]] Fd fd() const noexcept { return events_; }

  /// All interfaces as they are now. A later change makes fd() readable. Throws OsError.
  [[nodiscard]] Interfaces snapshot();

  /// Takes the pending events without blocking; true if a new snapshot might differ from the last
  /// (events lost to a full socket buffer count as such). Throws OsError.
  bool drain();

  /// Sorted by index. Throws OsError.
  [[nodiscard]] std::vector<LinkStats> stats();

 private:
  template <typename Ask>
  auto ask(Ask&& ask);
  [[nodiscard]] Interfaces read_interfaces();
  void forget_deleted(const std::vector<Interface>& links);
  [[nodiscard]] std::vector<LinkStats> read_stats();

  UniqueFd events_;
  UniqueFd requests_;  // none after an error
  std::uint32_t sequence_ = 0;
  std::uint32_t deletions_ = 0;  // so far
  // By interface index; of those that are not here it is others_.
  std::map<unsigned, std::uint32_t> incarnations_;
  std::uint32_t others_ = 0;
};

}  // namespace mcr
