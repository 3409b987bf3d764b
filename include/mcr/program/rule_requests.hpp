// Requests about single rules at the control socket:
//   {"command":"rule","verb":VERB,"name":NAME, ...}  -> see rule_requests.cpp
//   {"command":"apply","text":TOML,"file":FILE,"runtime":BOOL,"prune":BOOL}
// The answer is {"ok":true,"difference":"+1 -0 ~0 =96", ...}, {"ok":false,"error":...} or
// {"ok":false,"errors":[...]}; of the verb "show"
// {"ok":true,"file","line","home","elsewhere","text", "rule"}.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "mcr/config/book.hpp"
#include "mcr/config/config_error.hpp"

namespace mcr {

/// The answer, and whether the book has changed.
struct RuleAnswer {
  nlohmann::json document;
  ConfigDifference difference{};

  [[nodiscard]] bool changed() const noexcept {
    return difference.added + difference.removed + difference.changed != 0;
  }
};

/// Throws OsError if files cannot be written, Failure and nlohmann::json::exception for requests
/// that are none. The book has not changed then.
[[nodiscard]] RuleAnswer answer_rule_request(ConfigBook& book, const nlohmann::json& request);
[[nodiscard]] RuleAnswer answer_apply_request(ConfigBook& book, const nlohmann::json& request,
                                              const ConfigBook::TakeOver& take_over = {});

[[nodiscard]] nlohmann::json list_errors(const std::vector<ConfigError>& errors);

}  // namespace mcr
