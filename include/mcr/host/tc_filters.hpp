// The filters of traffic control (tc(8)) on an interface: what looks at its frames beside us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mcr {

struct TcFilter {
  std::uint32_t priority = 0;  ///< lower ones come first
  std::uint32_t handle = 0;
  std::string kind;     ///< "bpf", "u32", ...
  std::string program;  ///< of kind "bpf": its name; "" where it has none
};

enum class TcHook : std::uint8_t { ingress, egress };

/// Those on the interface of that index, in the order in which they run; none if it has no such
/// hook. Throws OsError (ENODEV: no such interface).
[[nodiscard]] std::vector<TcFilter> tc_filters(unsigned interface_index, TcHook hook);

}  // namespace mcr
