// Events, in order: a ring of the latest ones, each with an id. Readers keep the id of
// the last one they saw, and so cost the ring nothing, however slow they are: what a reader finds
// overwritten is told to it as a gap. Control thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace mcr {

/// An event is about one of these. Users see the names: they are kept.
enum class EventKind : std::uint8_t {
  start,     ///< the relay runs from here on
  rule,      ///< a rule's state or its reason has changed
  join,      ///< a group could not be joined, or could after all
  reload,    ///< a new configuration was taken over, or refused
  host,      ///< a host that outputs send to has other addresses, or none
  loss,      ///< frames or datagrams began to be lost at one place, or it is over
  gap,       ///< the reader was too slow, or came too late: `missed` events are not told
  failover,  ///< another input of a rule is on air
  merge,  ///< a leg of a merged rule was lost, is no copy, lags by more than `window`, or is well
};
inline constexpr std::array<std::string_view, 9> event_kind_names{
    "start", "rule", "join", "reload", "host", "loss", "gap", "failover", "merge"};
[[nodiscard]] constexpr std::string_view to_string(EventKind kind) noexcept {
  return event_kind_names[static_cast<std::size_t>(kind)];
}

/// One of them; "" and 0 where there is nothing to say.
struct Event {
  /// Grows by 1 from event to event. The first of a run is the time of its start, in microseconds
  /// since 1970: so an id of an earlier run is less, and fits into a double.
  std::uint64_t id = 0;
  std::chrono::system_clock::time_point time{};
  EventKind kind = EventKind::start;
  std::string rule{};        ///< its name
  std::string interface {};  ///< of a join or a loss
  std::string subject{};     ///< join: the group; host: its name; loss: where ("socket",
                             ///< "send_queue_full"); failover, merge: the input
  /// rule: its state, or "removed"; join: "failed" or "joined"; reload: "done" or "refused"; host:
  /// "resolved" or "unresolved"; loss: "begun" or "ended"; failover: "on_air"; merge: "merged",
  /// "lost", "no_copy" or "behind".
  std::string state{};
  std::string before{};      ///< rule, merge: the state until now; "" if it is new
  std::string reason{};      ///< why, for people; reload: the difference, or what was wrong; host:
                             ///< its addresses, or why it has none
  int error = 0;             ///< the errno behind `reason`
  std::uint64_t count = 0;   ///< loss: how many frames or datagrams so far
  std::uint64_t missed = 0;  ///< gap: events; 0 if nobody knows, since they were of an earlier run

  friend bool operator==(const Event&, const Event&) = default;
};

class EventRing {
 public:
  /// More than there can be rules: a batch that changes all of them is kept whole.
  static constexpr std::size_t most = 16'384;

  /// `first_id`: of the first event. `capacity` at least 1.
  explicit EventRing(std::uint64_t first_id, std::size_t capacity = most)
      : first_(first_id), next_(first_id), capacity_(capacity) {}

  /// Numbers it and keeps it, in place of the oldest if there are too many.
  void add(Event event);

  /// The next event for a reader that has seen all up to the id `seen` (0: none of them). If some
  /// are gone already: a gap, with the id of the last event missed. Nothing: there is none yet. The
  /// reader passes the id of what it got as the next `seen`.
  [[nodiscard]] std::optional<Event> after(std::uint64_t seen) const;

  /// The id of the first event that is kept; one more than the last id if there was none.
  [[nodiscard]] std::uint64_t first_id() const noexcept { return next_ - events_.size(); }
  /// The id of the last event; one less than the first id if there was none.
  [[nodiscard]] std::uint64_t last_id() const noexcept { return next_ - 1; }

 private:
  std::uint64_t first_;
  std::uint64_t next_;
  std::size_t capacity_;
  std::deque<Event> events_;  ///< the last one has the id next_ - 1
};

}  // namespace mcr
