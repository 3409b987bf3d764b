// Many rules in a few lines. Nobody reads 10,000 of them, and a daemon should not send them all:
// rules that are alike are one group, and the client gets the rules only if it asks for them.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// So many rules are listed one by one if nobody asks for certain ones.
inline constexpr std::size_t most_listed_rules = 40;
/// So many memberships that are not joined are listed; more are only counted.
inline constexpr std::size_t most_listed_memberships = 20;

[[nodiscard]] Digest digest_of(const Status& status);

/// The rules that somebody wants to see.
struct Selection {
  std::optional<RuleState> state;
  std::string pattern;  ///< of the name, as fnmatch(3); "": every name

  [[nodiscard]] bool all() const noexcept { return !state && pattern.empty(); }
};
/// Removes the other rules.
void select_rules(Status& status, const Selection& selection);

/// A request for the status, as the client writes it and the daemon understands it. One that has
/// only a command asks for all, as older clients do.
struct StatusRequest {
  Selection selection;
  bool brief = false;  ///< a digest instead of many rules
};
[[nodiscard]] nlohmann::json write_request(const StatusRequest& request);
/// The daemon's answer to such a request, a JSON document without an end of line. Throws Failure
/// (usage) for a state that does not exist.
[[nodiscard]] std::string answer_request(Status status, const nlohmann::json& request);

}  // namespace mcr::status
