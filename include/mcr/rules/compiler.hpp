// Compiles the rules of a configuration for the interfaces of the moment into the rule table that
// workers read. Control thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mcr/config/socket_kind.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/rules/slot_allocator.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

struct Rule;

/// Compiles the active rules. Adds what it needs to `allocators`; removes nothing from there.
/// `statuses`: one per rule, from rule_status(). `source_port`: of outputs that name none.
/// `senders`: tx slots to have beside the raw ones of their kind, sorted; those without one are
/// left out. Throws Failure (config) when an allocator has no slot left.
[[nodiscard]] RuleTable compile_table(std::span<const Rule> rules, const Interfaces& interfaces,
                                      const std::vector<RuleStatus>& statuses,
                                      SlotAllocators& allocators, std::uint64_t generation,
                                      std::uint16_t source_port = 0,
                                      std::span<const TxKey> senders = {});

}  // namespace mcr
