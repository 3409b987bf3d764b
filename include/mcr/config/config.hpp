// The configuration as the user means it, with every value decided. Workers read another type
// (rules/table.hpp).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "mcr/config/daemon.hpp"
#include "mcr/config/interface_tuning.hpp"
#include "mcr/config/reflector.hpp"
#include "mcr/config/rule.hpp"

namespace mcr {

struct Config {
  Daemon daemon;
  InterfaceTunings interfaces;
  std::vector<Rule> rules;  ///< those of reflectors, too
  std::vector<Reflector> reflectors{};
  std::size_t elsewhere = 0;  ///< rules of the files that belong to other shards

  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace mcr
