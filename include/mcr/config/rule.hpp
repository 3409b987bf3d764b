// A rule: from its inputs to its outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "mcr/config/consume.hpp"
#include "mcr/config/destinations.hpp"
#include "mcr/config/expectation.hpp"
#include "mcr/config/input.hpp"
#include "mcr/config/inspection.hpp"
#include "mcr/config/output.hpp"
#include "mcr/config/redundancy.hpp"
#include "mcr/config/reflector_kind.hpp"

namespace mcr {

/// Rules with one number other than 0 feed each other in a circle: they may hear again what they
/// have sent. It follows from all rules together (loops.hpp), so that it makes no rule another one.
struct Circle {
  std::uint32_t number = 0;
  bool probed = false;  ///< it may go over other hosts: see control/loop_watch.hpp

  friend bool operator==(const Circle&, const Circle&) noexcept { return true; }
};

struct Rule {
  std::string name;
  std::vector<Input> inputs;    ///< at least one
  std::vector<Output> outputs;  ///< at least one, but in a part of a reflector that listens only
  std::optional<Expectation> expect{};
  bool enabled = true;
  std::string comment{};
  bool allow_loop = false;  ///< takes datagrams that this relay itself has sent
  Consume consume = Consume::automatic;
  std::optional<Inspection> inspect{};
  /// Bytes that each worker keeps of what came last, for a capture that begins later; 0: none.
  std::uint64_t capture_before = 0;
  std::optional<Merge> merge{};
  std::optional<Failover> failover{};  ///< not with `merge`
  Circle circle{};
  std::string reflector{};  ///< the name of the one that it is a part of; empty: of none
  ReflectorKind kind = ReflectorKind::udp;  ///< of that reflector

  /// Nothing goes on from its input: it hears what other relays send there.
  [[nodiscard]] bool listens() const noexcept { return !reflector.empty() && outputs.empty(); }

  friend bool operator==(const Rule&, const Rule&) = default;
};

/// The names of all interfaces that the rules use.
[[nodiscard]] std::set<std::string> interfaces_of(std::span<const Rule> rules);

/// The block of groups and ports over which a rule maps its outputs: the table has each output once
/// for each of them. Only `addresses` and `ports` of the result have a meaning.
[[nodiscard]] Destinations mapped_destinations(const Rule& rule);

}  // namespace mcr
