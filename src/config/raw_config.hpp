// The raw values of all files together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mcr/config/daemon.hpp"
#include "mcr/config/interface_tuning.hpp"
#include "raw_rule.hpp"

namespace mcr {

struct RawConfig {
  Daemon daemon;
  RawOutput defaults;
  std::map<std::string, InterfaceTuning> interfaces;
  std::vector<RawRule> rules;  ///< at most limits::rules; the first one beyond is a mistake
  std::vector<RawReflector> reflectors;  ///< at most limits::reflectors, likewise
};

}  // namespace mcr
