// A reload as a value: the difference between what is open now and what a new rule
// table asks for. Pure; reload.hpp acts on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

struct Input;
struct Rule;

/// The packet filter of the sockets of one rx slot.
struct RxFilter {
  std::uint16_t slot = 0;
  std::vector<Endpoint> destinations;  ///< that pass; sorted, unique

  friend bool operator==(const RxFilter&, const RxFilter&) = default;
};

/// The sockets that are open now, by slot.
struct OpenSockets {
  struct Rx {
    std::vector<Endpoint> passing;  ///< what all sockets of the slot pass at least; sorted, unique
    bool exact = true;              ///< and nothing else
  };

  std::map<std::uint16_t, Rx> rx;
  std::set<std::uint16_t> tx;
};

/// In the order in which it is done. Joins come before the table is compiled, since a refused join
/// decides whether a rule runs; so the two halves are planned one after the other.
struct ReloadPlan {
  // Before the commit point: only additions, so that the running rules notice nothing.
  std::set<Group> join;  ///< what the old rules or the new ones want
  std::vector<TableRx> open_rx;
  std::vector<TableTx> open_tx;
  std::vector<RxFilter> widen;  ///< to what the old table or the new one wants

  // The commit point.
  std::uint64_t publish = 0;  ///< the generation of the new table

  // After it: what only the old table needed.
  std::vector<RxFilter> narrow;       ///< to what the new table wants
  std::set<Group> keep;               ///< leave all groups but these
  std::set<std::uint16_t> retire_rx;  ///< slots to close when no worker uses them any more
  std::set<std::uint16_t> retire_tx;
};

/// The first half: `join` and `keep`.
[[nodiscard]] ReloadPlan plan_groups(const std::set<Group>& before, const std::set<Group>& after);

/// Adds the second half: everything else, for a table to follow on what is open now.
void plan_sockets(ReloadPlan& plan, const RuleTable& table, const OpenSockets& open);

/// The groups that an input asks for.
[[nodiscard]] std::vector<Group> groups_of(const Input& input);

/// True: this input of this rule is to be joined.
using InputChoice = std::function<bool(const Rule&, const Input&)>;

/// The groups that enabled rules ask for.
[[nodiscard]] std::set<Group> wanted_groups(std::span<const Rule> rules, const InputChoice& joins);

}  // namespace mcr
