// Which parts of a rule the program in the kernel can take. Pure: from configuration and interfaces
// alone. A sentence says why not; "" says that it can. README.md of this room has the reasons.
#pragma once

#include <string>

#include "mcr/host/interfaces.hpp"

namespace mcr {
struct Input;
struct Output;
struct Rule;
}  // namespace mcr

namespace mcr::fastpath {

/// An input whose interface is missing goes the worker's way, too.
[[nodiscard]] std::string why_worker(const Input& input, const Interfaces& interfaces);

/// An output whose interface is missing or down needs nothing that only the worker has: its
/// datagrams are only counted. `family`: of the rule's inputs.
[[nodiscard]] std::string why_worker(const Output& output, Family family,
                                     const Interfaces& interfaces);

/// Why all of the rule goes the worker's way: for one of its outputs, or for all of its inputs.
[[nodiscard]] std::string why_worker(const Rule& rule, const Interfaces& interfaces);

/// Why some of its inputs do, while others do not. "" if all go the same way.
[[nodiscard]] std::string why_in_part(const Rule& rule, const Interfaces& interfaces);

}  // namespace mcr::fastpath
