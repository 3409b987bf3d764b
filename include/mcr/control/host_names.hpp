// The hosts that outputs send to by name, and the addresses that they have at present. Control
// thread only.
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mcr/host/name_lookup.hpp"
#include "mcr/rules/host_outputs.hpp"

namespace mcr {

struct Rule;

/// Decides when a name is looked up, and what an answer changes. The caller looks it up.
class HostNames {
 public:
  using Clock = std::chrono::steady_clock;

  /// Until a name that has no address is looked up again; sooner if `every` is less.
  static constexpr std::chrono::seconds retry{5};

  /// Adds the hosts of these rules. New ones are due at once.
  void want(std::span<const Rule> rules, Clock::time_point now);
  /// Forgets all but the hosts of these rules.
  void keep(std::span<const Rule> rules);

  /// The names to look up now. Each is not due again before its answer has come.
  [[nodiscard]] std::vector<std::string> due(Clock::time_point now);

  /// True if what is known of the host has changed. A resolver that could not tell takes no address
  /// away. Logs what changes.
  bool take(const NameLookup::Answer& answer, std::chrono::microseconds every,
            Clock::time_point now);

  [[nodiscard]] const HostBook& book() const noexcept { return book_; }

 private:
  struct Asking {
    bool asked = false;
    Clock::time_point next{};
    std::string trouble{};  ///< of the last lookup
  };

  HostBook book_;
  std::map<std::string, Asking, std::less<>> asking_;  ///< of the same names
};

}  // namespace mcr
