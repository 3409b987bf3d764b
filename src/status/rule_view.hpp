// A rule as the pages show it: whether it needs attention, and what there is to say about it.
#pragma once

#include <string>
#include <vector>

#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {

struct RuleVerdict {
  bool troubled = false;  ///< does not do all of its work
  bool silent = false;    ///< runs, and has seen nothing
  bool drops = false;
  std::string kind;  ///< equal for rules that have the same to tell; "": nothing

  [[nodiscard]] bool needs_attention() const { return troubled || silent || drops; }
};

/// The first input or output of a rule, and how many more there are. Escaped,
/// like all texts of the pages.
[[nodiscard]] std::string input_text(const Rule& rule);
[[nodiscard]] std::string output_text(const Rule& rule);

[[nodiscard]] RuleVerdict judge_rule(const Rule& rule);

/// All that there is to say about it, one sentence each.
[[nodiscard]] std::vector<std::string> notes_about(const Unjoined& unjoined, const Rule& rule);

/// All that is to be said and is no trouble, one sentence each: another relay carries.
[[nodiscard]] std::vector<std::string> remarks_about(const Rule& rule);
/// The same of an output; "": nothing.
[[nodiscard]] std::string remark_about(const Output& output);

/// The table of rules, with their notes, those that need attention first; "" if there are none.
/// `of_reflectors`: also those that are a part of one.
[[nodiscard]] std::string rules_table(const Status& status, std::size_t columns,
                                      bool of_reflectors = true);

}  // namespace mcr::status
