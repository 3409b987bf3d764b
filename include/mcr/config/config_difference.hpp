// The difference between two configurations, as a reload tells it.
#pragma once

#include <cstddef>
#include <string>

namespace mcr {

struct Config;

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
