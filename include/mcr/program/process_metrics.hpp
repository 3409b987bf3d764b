// Metrics that every process has in Prometheus, under the names that its client libraries use:
// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds and others.
#pragma once

#include <string>

namespace mcr {

/// The metrics of this process in the text format 0.0.4. A figure that /proc does not tell is left
/// out.
[[nodiscard]] std::string process_metrics();

}  // namespace mcr
