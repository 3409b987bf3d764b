// The losses of the CPUs' input queues: /proc/net/softnet_stat. They are those of the whole host,
// not of a network namespace.
#pragma once

#include <cstdint>
#include <istream>

namespace mcr {

/// Since the host started, over all CPUs.
struct Softnet {
  std::uint64_t dropped = 0;   ///< frames for which a backlog had no room (netdev_max_backlog)
  std::uint64_t squeezed = 0;  ///< times the kernel had no time left to take more frames

  friend bool operator==(const Softnet&, const Softnet&) = default;
};

/// Zeros where there is no such file.
[[nodiscard]] Softnet read_softnet();
/// The same of the file's text: a line a CPU, hexadecimal columns; the second and the third count.
[[nodiscard]] Softnet read_softnet(std::istream& text);

}  // namespace mcr
