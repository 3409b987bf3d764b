// The metrics as Prometheus reads them (text format 0.0.4), from the same Status that people see.
//
// Labels come from the configuration only, so that there are never more series than it has rules,
// outputs and interfaces; a reason of a rule or an output is a series from its first drop on (the
// totals have every reason from the start). Counters are exact integers.
#pragma once

#include <string>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// Leaves out unknown values. Ends with a newline.
[[nodiscard]] std::string render_metrics(const Status& status);

}  // namespace mcr::status
