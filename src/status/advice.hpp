// Steps that an operator can take about a rule that does not do its work.
#pragma once

#include <string>
#include <vector>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// One step each, the first to be tried first; empty for a rule that does all of its work.
[[nodiscard]] std::vector<std::string> advice_for(const Status& status, const Rule& rule);

}  // namespace mcr::status
