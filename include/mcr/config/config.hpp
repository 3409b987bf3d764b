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

/// The number of rules by which two configurations differ. A rule is identified by its name; their
/// order does not matter.
struct ConfigDifference {
  std::size_t added = 0;
  std::size_t removed = 0;
  std::size_t changed = 0;
  std::size_t unchanged = 0;

  /// "+1 -0 ~2 =97"
  [[nodiscard]] std::string str() const;

  friend bool operator==(const ConfigDifference&, const ConfigDifference&) = default;
};

[[nodiscard]] ConfigDifference compare_configs(const Config& before, const Config& after);

}  // namespace mcr
