// The identity of what one output sends to one destination, by which counters outlive a table.
#pragma once

#include <compare>
#include <string>

#include "mcr/base/address.hpp"

namespace mcr {

struct Output;

/// An output's counters begin with its identity: rule, interface, destination, and the name by
/// which it came to that. So an address that a name loses takes its counters along, and one that
/// comes begins at 0.
struct OutputKey {
  std::string rule;
  std::string interface;
  Endpoint destination;
  std::string host{};

  auto operator<=>(const OutputKey&) const = default;
};

/// The key of one destination of the output.
[[nodiscard]] OutputKey output_key(const std::string& rule, const Output& output,
                                   const Endpoint& destination);

}  // namespace mcr
