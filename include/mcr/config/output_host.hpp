// The name of a host that an output sends to.
#pragma once

#include <string>

#include "mcr/base/address.hpp"

namespace mcr {

/// The configured output has no destination. In its place runs an output for each address that the
/// name has at present (rules/host_outputs.hpp).
struct OutputHost {
  std::string name{};            ///< in small letters; "": the output has an address of its own
  bool all = true;               ///< of its addresses; false: one of them
  Family family = Family::none;  ///< only addresses of this family; none: of both
  std::string refusal{};         ///< of what runs: why nothing can be sent there

  [[nodiscard]] explicit operator bool() const noexcept { return !name.empty(); }

  friend bool operator==(const OutputHost&, const OutputHost&) = default;
};

}  // namespace mcr
