// The multicast joins of this host: the set that the rules want, and the set that the kernel holds.
// The work is their difference. Control thread only; takes the time from its caller and logs
// nothing.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/control/helper_sockets.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

/// One membership: a group on an interface, from any source (`source` is none) but the excluded
/// ones, or from one.
struct Group {
  std::string interface;
  IpAddress group;
  IpAddress source;
  std::vector<IpAddress> excluded{};  ///< sorted

  friend bool operator==(const Group&, const Group&) = default;
  friend std::strong_ordering operator<=>(const Group&, const Group&) = default;

  /// "239.1.1.1 on eth0", "239.1.1.1 from 10.0.0.5 on eth0",
  /// "239.1.1.1 from all but 10.0.0.6, 10.0.0.7 on eth0".
  [[nodiscard]] std::string str() const;
};

/// See the picture in memberships.cpp.
enum class MembershipState : std::uint8_t { waiting_interface, joining, joined, failed, leaving };

/// The name as status shows it.
[[nodiscard]] std::string_view to_string(MembershipState state) noexcept;

struct Membership {
  MembershipState state = MembershipState::waiting_interface;
  int error = 0;  ///< errno of the last failure; 0 if there is none
};

/// A change of a membership, for the log: it is now in `state`. With an error the join
/// (`failed`) or the leave (`leaving`) was refused; `leaving` without one: it was left.
struct MembershipEvent {
  Group group;
  MembershipState state;
  int error;
};
using MembershipEvents = std::vector<MembershipEvent>;

/// joins_attempted = joins_succeeded + joins_failed, always.
struct MembershipStatistics {
  std::uint64_t joins_attempted = 0;
  std::uint64_t joins_succeeded = 0;
  std::uint64_t joins_failed = 0;
  std::uint64_t leaves = 0;        ///< that the kernel confirmed
  std::size_t helper_sockets = 0;  ///< open now
};

class Memberships {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Memberships(MembershipCalls calls = {}) : calls_(std::move(calls)) {}
  Memberships(const Memberships&) = delete;
  Memberships& operator=(const Memberships&) = delete;

  /// Joins what is wanted and not installed, as far as its interface exists; forgets what was
  /// installed on interfaces that went or were recreated. Leaves nothing; failed joins keep to
  /// their backoff. Call it on a reload (before publishing) and on every change of interfaces.
  MembershipEvents join(const std::set<Group>& wanted, const Interfaces& interfaces,
                        Clock::time_point now);

  /// Leaves what is no longer wanted; with an empty set everything.
  MembershipEvents leave(const std::set<Group>& wanted, Clock::time_point now);

  /// Tries again what failed and is due: after 1 s, doubling to 30 s.
  MembershipEvents retry(Clock::time_point now);

  /// Makes what failed due at `now`, with the first pause again: something has changed that may
  /// have been the cause.
  void hurry(Clock::time_point now) noexcept;

  /// When retry() has something to do next, if ever.
  [[nodiscard]] std::optional<Clock::time_point> next_retry() const;

  /// Null if it is neither wanted nor installed. Valid until the next change.
  [[nodiscard]] const Membership* find(const Group& group) const;
  /// All of them, sorted, for status.
  [[nodiscard]] std::vector<std::pair<Group, Membership>> all() const;

  [[nodiscard]] MembershipStatistics statistics() const;

 private:
  /// The helpers of one interface and family, void when the interface is another one.
  struct Link {
    unsigned index = 0;
    std::uint32_t incarnation = 0;
    std::map<Family, HelperSockets> helpers;
  };
  struct Entry {
    Membership membership;
    Clock::duration backoff{};
    Clock::time_point retry_at{};
  };
  using Entries = std::map<Group, Entry>;

  static void set(Entries::value_type& place, MembershipState state, int error,
                  MembershipEvents& events);
  static void schedule_retry(Entry& entry, Clock::time_point now);
  void drop_gone_links(const std::set<Group>& wanted, const Interfaces& interfaces,
                       MembershipEvents& events);
  void try_join(Entries::value_type& place, Clock::time_point now, MembershipEvents& events);
  void try_leave(Entries::iterator place, Clock::time_point now, MembershipEvents& events);

  MembershipCalls calls_;
  std::map<std::string, Link> links_;  // by interface name: those that exist
  Entries entries_;
  MembershipStatistics statistics_;
};

}  // namespace mcr
