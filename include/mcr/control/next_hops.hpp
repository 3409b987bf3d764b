// Watches whether the next hops of unicast outputs answer. The kernel takes datagrams for a host
// that does not, and loses them: all counters of sending stay good. So its routes and neighbours
// are looked at, off the packet path: a few each second, so that thousands of outputs cost no more.
// Control thread only; its caller keeps the pace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mcr/host/interfaces.hpp"
#include "mcr/host/next_hop.hpp"
#include "mcr/rules/output_key.hpp"
#include "mcr/rules/reason.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

struct Output;
struct Rule;

/// Why what is sent to this destination is lost; empty if it is not, or not known to be.
/// `interface` is its name. Errno: EHOSTUNREACH if the next hop does not answer, else the route's.
[[nodiscard]] Reason describe_dead(const NextHop& hop, const IpAddress& destination,
                                   const std::string& interface);

class NextHops {
 public:
  /// Looks of one tick().
  static constexpr std::size_t looks = 200;

  using Find = std::function<NextHop(const Way&)>;
  /// Datagrams that the kernel has accepted from an output.
  using Sent = std::function<std::uint64_t(const OutputKey&)>;

  explicit NextHops(Find find) : find_(std::move(find)) {}

  /// Takes over the outputs that can be used. What it knows of those that stay is kept.
  void watch(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
             const Interfaces& interfaces);

  /// Once a second. Returns what to log: ways that died and ways that live again.
  struct Event {
    bool dead = false;
    std::string interface;
    Way way;
    Reason reason;  ///< empty if it lives again
  };
  [[nodiscard]] std::vector<Event> tick(const Sent& sent);

  /// Empty while the output's next hop is not known to be dead.
  [[nodiscard]] Reason reason(const OutputKey& output) const;
  /// Datagrams that were sent while it was dead; a part of those that the kernel accepted.
  [[nodiscard]] std::uint64_t unreachable(const OutputKey& output) const;

 private:
  struct Watched {
    std::string interface;
    NextHop hop;
    bool suspect = false;  ///< the neighbour was being resolved, or dead, at the last look
    Reason dead;           ///< empty: it is not
    std::vector<OutputKey> outputs;
  };
  struct Known {
    Way way;
    std::uint64_t sent = 0;  ///< at the last look
    std::uint64_t unreachable = 0;
  };

  void add_output(const Rule& rule, const Output& output, const Interfaces& interfaces,
                  std::map<Way, Watched>& ways, std::map<OutputKey, Known>& outputs) const;
  void look(const Way& way, Watched& watched, const Sent& sent, std::vector<Event>& events);

  Find find_;
  std::map<Way, Watched> ways_;
  std::map<OutputKey, Known> outputs_;
  Way next_;  ///< to look at
};

}  // namespace mcr
