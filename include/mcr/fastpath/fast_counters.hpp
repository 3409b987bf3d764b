// The counters of the program in the kernel, summed up over all CPUs: one moment's reading.
// Datagrams; bytes are UDP payload.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "mcr/base/address.hpp"
#include "mcr/packet/drop_reason.hpp"

namespace mcr::fastpath {

struct RuleCount {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t last_seen_ns = 0;  ///< CLOCK_MONOTONIC, coarse; 0: none yet
  Endpoint last_source;
};

/// matched = tx_datagrams + sum(drops).
struct OutputCount {
  std::uint64_t matched = 0;
  std::uint64_t tx_datagrams = 0;
  std::uint64_t tx_bytes = 0;
  std::array<std::uint64_t, output_drop_names.size()> drops{};  ///< by OutputDrop
};

struct InterfaceCount {
  std::uint64_t frames = 0;
  std::uint64_t datagrams = 0;
};

/// The sums over all rules, also those that are gone.
struct SumCount {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t tx_datagrams = 0;
  std::array<std::uint64_t, output_drop_names.size()> tx_drops{};  ///< by OutputDrop
};

/// A slot or an interface without counters is absent.
struct FastCounters {
  std::unordered_map<std::uint32_t, RuleCount> rules;            ///< by slot
  std::unordered_map<std::uint32_t, OutputCount> outputs;        ///< by slot
  std::unordered_map<std::uint32_t, InterfaceCount> interfaces;  ///< by index
  SumCount sums;
};

}  // namespace mcr::fastpath
