// Finds rules whose datagrams may come back by way of other hosts. Theory in loop_watch.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/host/frame_sample.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

/// Control thread only.
class LoopWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// An interface whose rules take fewer datagrams a second is not worth a look.
  static constexpr double busy = 100;
  /// From so many on, several different datagrams that come again are suspicious, too.
  static constexpr double storm = 10'000;
  /// So many repetitions in a sample are suspicious: see find_repeated().
  static constexpr unsigned repeats = 8;
  /// From look to look at an interface, where no more comes than at the last one.
  static constexpr std::chrono::seconds apart{30};
  /// A rule is probed for so long; where it was proven to hear itself, so long after the last echo.
  static constexpr std::chrono::seconds unproven_for{30};
  static constexpr std::chrono::minutes proven_for{10};
  /// Then it is not probed again for so long.
  static constexpr std::chrono::minutes trusted_for{10};

  /// One rule, as its workers see it.
  struct Seen {
    double pps = 0;
    std::uint64_t echoes = 0;
    bool refuted = false;  ///< it hears a sender that repeats itself
  };

  /// Once a second; `seen` by rule. True: other rules are to be probed now, so mark() and
  /// publish them. Throws OsError if an interface cannot be looked at.
  bool tick(std::span<const Rule> rules, std::span<const Seen> seen, const Interfaces& interfaces,
            Time now);

  /// Gives each probed rule a circle of its own, and takes it from those that are probed no more.
  void mark(std::span<Rule> rules) const;
  [[nodiscard]] bool probes(const std::string& rule) const { return probed_.contains(rule); }

 private:
  struct Place {
    double pps_at_look = 0;
    Time next_look;
    std::optional<FrameSample> sample;  ///< while it is taken
  };
  struct Probed {
    std::uint32_t circle = 0;
    std::uint64_t echoes = 0;
    bool proven = false;
    Time until;
  };

  bool review(std::span<const Rule> rules, std::span<const Seen> seen, Time now);
  bool judge(std::span<const Rule> rules, std::span<const Seen> seen, const Interfaces& interfaces,
             const Interface& interface, Place& place, Time now);
  void look(const Interface& interface, double pps, Place& place, Time now);

  std::map<unsigned, Place> places_;  // by index of the interface
  std::map<std::string, Probed> probed_;
  std::map<std::string, Time> trusted_;    // until then
  std::uint32_t last_circle_ = 1U << 31U;  // above those that follow from the rules
};

/// A datagram's destination, and a hash of its source and payload.
using SampledDatagram = std::pair<Endpoint, std::uint64_t>;

/// The destinations to which the last third of a sample brings what its first third brought, too,
/// LoopWatch::repeats times or more: one datagram that is three in four of all; in a storm also as
/// many different ones, or several that are three in four. The sample, at so many datagrams a
/// second, is in the order in which it came.
[[nodiscard]] std::vector<Endpoint> find_repeated(std::span<const SampledDatagram> datagrams,
                                                  double pps);

}  // namespace mcr
