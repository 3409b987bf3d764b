// The plain table: what the program in the kernel needs of the rules, as an array of cells (relay.h
// has their layout). Pure; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mcr/fastpath/relay.h"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/slot_allocator.hpp"

namespace mcr {
struct Rule;
}  // namespace mcr

namespace mcr::fastpath {

/// The way by which the datagrams of a rule go.
struct RulePath {
  bool kernel = false;  ///< at least those of one destination
  std::string reason;   ///< why not, or which part does not; "": there is none

  friend bool operator==(const RulePath&, const RulePath&) = default;
};

struct PlainTable {
  static constexpr std::size_t most_cells = 1U << 20U;  ///< 64 MiB

  std::vector<mcr_cell> cells;      ///< empty: nothing goes the kernel's way
  std::vector<RulePath> paths;      ///< one per rule of the configuration
  std::set<unsigned> interfaces;    ///< indices of those on which something is taken
  std::set<std::uint32_t> rules;    ///< slots whose counters it names
  std::set<std::uint32_t> outputs;  ///< likewise
};

/// Interfaces on which the program cannot run, by index, and why.
using Refusals = std::map<unsigned, std::string>;

/// Compiles the active rules, or those parts of them that the kernel can take. `statuses`: one per
/// rule. `slots` has the numbers of every rule and output (compile_table() gives them).
/// `source_port`: of outputs that name none.
[[nodiscard]] PlainTable compile_plain_table(const std::vector<Rule>& rules,
                                             const Interfaces& interfaces,
                                             const std::vector<RuleStatus>& statuses,
                                             const SlotAllocators& slots, std::uint16_t source_port,
                                             const Refusals& refusals);

/// Indices of the interfaces that the program has to run on for this.
[[nodiscard]] std::set<unsigned> wanted_interfaces(const std::vector<Rule>& rules,
                                                   const Interfaces& interfaces,
                                                   const std::vector<RuleStatus>& statuses);

}  // namespace mcr::fastpath
