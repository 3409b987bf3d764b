// Links, addresses and queueing disciplines of this network namespace, by rtnetlink(7).
// Needs no privilege. For the control thread only: requests wait for the kernel's answer.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/host/link_stats.hpp"
#include "mcr/host/rtnetlink.hpp"

namespace mcr {

class Netlink {
 public:
  /// Opens the sockets and subscribes. Throws OsError.
  Netlink();

  /// Readable when events are pending: call drain().
  [[nodiscard]] Fd fd() const noexcept { return events_; }

  /// All interfaces as they are now. A later change makes fd() readable. Throws OsError.
  [[nodiscard]] Interfaces snapshot();

  /// Reads the pending events without blocking. Returns true if a new snapshot may differ from the
  /// last one, also when events were lost to a full socket buffer. Throws OsError.
  bool drain();

  /// Sorted by index. Throws OsError.
  [[nodiscard]] std::vector<LinkStats> stats();

 private:
  template <typename Ask>
  auto ask(Ask&& ask);
  [[nodiscard]] Interfaces read_interfaces();
  void forget_deleted(const std::vector<Interface>& links);
  [[nodiscard]] std::vector<LinkStats> read_stats();
  [[nodiscard]] std::vector<rtnetlink::Discipline> read_disciplines();

  UniqueFd events_;
  UniqueFd requests_;  // none after an error
  std::uint32_t sequence_ = 0;
  std::uint32_t deletions_ = 0;  // so far
  // By interface index; an interface that is not in it has others_.
  std::map<unsigned, std::uint32_t> incarnations_;
  std::uint32_t others_ = 0;
};

}  // namespace mcr
