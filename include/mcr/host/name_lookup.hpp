// Looks up the names of hosts as this host does: by DNS, /etc/hosts, or what else
// nsswitch.conf(5) says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

/// Nothing here waits, whatever the resolver does. Used by one thread.
class NameLookup {
 public:
  /// Lookups that run at once; others wait for their turn.
  static constexpr unsigned most_at_once = 4;

  struct Answer {
    std::string name;
    std::vector<IpAddress> addresses;  ///< in any order, perhaps several times; none: see `trouble`
    std::string trouble;               ///< why there is none
    /// The resolver knows that there is none. Else it could not tell.
    bool known = false;
  };

  NameLookup();
  /// Leaves lookups that run to themselves.
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  void ask(std::string name);
  /// The answers since the last call, one for each name asked. Call it now and then: where no
  /// thread could be had, it is tried again.
  [[nodiscard]] std::vector<Answer> take();

 private:
  struct Shared;
  void start_thread();

  std::shared_ptr<Shared> shared_;
};

}  // namespace mcr
