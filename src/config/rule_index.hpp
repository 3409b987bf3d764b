// The rules of a configuration, found by what may conflict with another rule. So one rule can be
// checked without reading the other ten thousand.
//
// Two rules can only contradict each other in two ways (check.cpp): by their names, or by an input
// with the same match. So the rules to check one with are those that have a match of its inputs.
// The sums that have a limit are counted on the way.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "input_match.hpp"
#include "mcr/config/config_error.hpp"
#include "mcr/config/socket_kind.hpp"
#include "placed_rule.hpp"

namespace mcr {

/// A rule, and its place among the files.
struct IndexedRule {
  PlacedRule placed{};  ///< which file its positions mean is told by `file`
  std::string file{};
  std::size_t rank =
      0;  ///< of the file among all; files of one rank are in the order of their names

  /// The order of the files, and of their text.
  [[nodiscard]] bool before(const IndexedRule& other) const;
};

class RuleIndex {
 public:
  /// Its name must be new.
  void add(IndexedRule rule);
  /// Removes it. Its name must be known.
  IndexedRule take(std::string_view name);

  [[nodiscard]] const IndexedRule* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const noexcept { return rules_.size(); }
  /// The rules in the order of the configuration.
  [[nodiscard]] std::vector<const IndexedRule*> sorted() const;

  /// The mistakes that check_rules() finds in all rules but those named `without`, with `fresh`
  /// beside them. The rules here have none.
  [[nodiscard]] std::vector<ConfigError> check(const std::vector<IndexedRule>& fresh,
                                               const std::set<std::string, std::less<>>& without);

 private:
  using Rules = std::vector<const IndexedRule*>;

  struct Sums {
    std::size_t inputs = 0;
    std::size_t sources = 0;
    std::size_t outputs = 0;
    std::size_t captured_before = 0;
    std::map<std::pair<std::string, InputKind>, std::size_t> input_kinds;
    std::map<std::pair<std::string, TxKey>, std::size_t> output_kinds;
    std::map<std::string, std::size_t> hosts;
  };

  void count(const Rule& rule, bool more);
  [[nodiscard]] bool may_be_too_many() const;
  [[nodiscard]] Rules all_with(const std::vector<IndexedRule>& fresh,
                               const std::set<std::string, std::less<>>& without) const;
  [[nodiscard]] Rules related_to(const IndexedRule& rule) const;
  template <typename Visit>
  void each_match(const IndexedRule& rule, Visit visit) const;

  std::unordered_map<std::string_view, std::unique_ptr<IndexedRule>>
      rules_;  // keys are in the rules
  std::unordered_multimap<InputMatch, const IndexedRule*, InputMatchHash> matches_;  // enabled only
  Sums sums_;
};

/// Reports mistakes at the rules' own files.
[[nodiscard]] std::vector<ConfigError> check_indexed(std::vector<const IndexedRule*> rules);

}  // namespace mcr
