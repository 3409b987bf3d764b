// The memberships of one interface and family. One socket can hold only so many of them
// (net.ipv4.igmp_max_memberships, net.core.optmem_max), so they are spread over several.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/group_join.hpp"

namespace mcr {

/// The system calls behind memberships, as in group_join.hpp; tests put others here.
struct MembershipCalls {
  std::function<UniqueFd(Family)> open = open_membership_socket;
  std::function<int(Fd, unsigned, const IpAddress&, const IpAddress&)> join = join_group;
  std::function<int(Fd, unsigned, const IpAddress&, const IpAddress&)> leave = leave_group;
  std::function<int(Fd, unsigned, const IpAddress&, const IpAddress&)> block = block_source;
};

/// A group from any source (`source` is none) but the excluded ones, or from one source.
struct GroupSources {
  IpAddress group;
  IpAddress source;
  std::vector<IpAddress> excluded{};  ///< sorted

  friend bool operator==(const GroupSources&, const GroupSources&) = default;
  friend std::strong_ordering operator<=>(const GroupSources&, const GroupSources&) = default;
};

/// Destroying it closes the sockets, and with that the kernel leaves everything. `calls` outlives
/// it. Each GroupSources is joined at most once.
class HelperSockets {
 public:
  HelperSockets(const MembershipCalls& calls, Family family, unsigned interface_index) noexcept
      : calls_(calls), family_(family), interface_index_(interface_index) {}
  HelperSockets(const HelperSockets&) = delete;
  HelperSockets& operator=(const HelperSockets&) = delete;

  /// Returns 0 or the errno value: of a first join on a fresh socket, of opening one (EMFILE), or
  /// of a refusal that has nothing to do with room. Sockets found full on the way are no failure.
  /// If the kernel leaves fewer sources out than it was asked to, that is no failure either: it
  /// only costs traffic.
  int join(const GroupSources& wanted);

  /// Returns 0 or the errno value; after a failure the membership is still held, except where the
  /// kernel says that there is none (EADDRNOTAVAIL, ENODEV).
  int leave(const GroupSources& held);

  [[nodiscard]] bool holds(const GroupSources& group) const { return installed_.contains(group); }
  [[nodiscard]] std::size_t sockets() const noexcept { return sockets_.size(); }

 private:
  /// How one socket holds one group: either any source, or `sources` of them.
  struct Hold {
    std::size_t sources = 0;  // 0: any source
    bool full = false;        // refused one more source
  };
  struct Socket {
    UniqueFd fd;
    std::map<IpAddress, Hold> groups;
    bool full = false;  // refused one more group
  };
  using SocketList = std::list<Socket>;

  SocketList::iterator beside_other_sources(const IpAddress& group);
  SocketList::iterator with_room_for(const IpAddress& group);
  int join_on(Socket& socket, const GroupSources& wanted);
  int join_on_new(const GroupSources& wanted);
  void install(SocketList::iterator socket, const GroupSources& joined);
  void remove(SocketList::iterator socket, const GroupSources& left);

  const MembershipCalls& calls_;
  Family family_;
  unsigned interface_index_;
  SocketList sockets_;
  std::map<GroupSources, SocketList::iterator> installed_;
};

}  // namespace mcr
