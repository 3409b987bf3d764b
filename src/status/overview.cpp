// Rules as columns: a key stands once and not with each rule, and so does a note that many rules
// have. With 10,000 rules that is 200 kB a second instead of 7 MB.
#include "mcr/status/overview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "advice.hpp"
#include "json_values.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/rules/remedies.hpp"
#include "mcr/status/digest.hpp"
#include "mcr/status/json.hpp"
#include "rule_view.hpp"

namespace mcr::status {

namespace {

constexpr std::array<std::string_view, 3> paths{"", "kernel", "worker"};

/// Different texts once each, in the order of their first use.
class Notes {
 public:
  std::size_t index_of(const std::string& text) {
    const auto [found, is_new] = indexes_.emplace(text, indexes_.size());
    if (is_new) texts_.push_back(text);
    return found->second;
  }
  [[nodiscard]] const json& texts() const { return texts_; }

 private:
  std::unordered_map<std::string, std::size_t> indexes_;
  json texts_ = json::array();
};

template <typename AnyDrops>
std::uint64_t sum_of(const AnyDrops& drops) {
  return sum(nonzero(drops));
}

std::uint64_t drops_of(const Rule& rule) {
  auto drops = sum_of(rule.drops);
  for (const auto& output : rule.outputs)
    drops += sum_of(output.drops);
  return drops;
}

std::uint64_t sent_by(const Rule& rule) {
  std::uint64_t sent = 0;
  for (const auto& output : rule.outputs)
    sent += output.tx_datagrams.value_or(0);
  return sent;
}

json rounded(const std::optional<double>& number) {
  return number ? json(std::llround(*number)) : json();
}

json tenths(const std::optional<double>& number) {
  return number ? json(std::round(*number * 10) / 10) : json();
}

std::ptrdiff_t path_of(const Rule& rule) {
  const auto* const known = std::ranges::find(paths, rule.path);
  return known == paths.end() ? 0 : known - paths.begin();
}

/// -1: unknown.
std::ptrdiff_t state_of(const Rule& rule) {
  const auto* const known = std::ranges::find(rule_states, rule.state);
  return known == rule_states.end() ? -1 : known - rule_states.begin();
}

void add_texts(json& columns, const Status& status) {
  auto& names = columns["name"] = json::array();
  auto& inputs = columns["input"] = json::array();
  auto& outputs = columns["output"] = json::array();
  for (const auto& rule : status.rules) {
    names.push_back(rule.name);
    inputs.push_back(input_text(rule));
    outputs.push_back(output_text(rule));
  }
}

void add_values(json& columns, const Status& status, Notes& notes) {
  for (const auto* column : {"state", "path", "note", "attention", "rate_pps", "rate_bps",
                             "tx_datagrams", "drops", "last_seen_s"})
    columns[column] = json::array();
  for (const auto& rule : status.rules) {
    const auto verdict = judge_rule(rule);
    columns["state"].push_back(state_of(rule));
    columns["path"].push_back(path_of(rule));
    columns["note"].push_back(
        notes.index_of(rule.reason.empty() ? verdict.kind : printable(rule.reason.text)));
    columns["attention"].push_back(verdict.needs_attention() ? 1 : 0);
    columns["rate_pps"].push_back(rounded(rule.rate_pps));
    columns["rate_bps"].push_back(rounded(rule.rate_bps));
    columns["tx_datagrams"].push_back(sent_by(rule));
    columns["drops"].push_back(drops_of(rule));
    columns["last_seen_s"].push_back(tenths(rule.last_seen_s));
  }
}

Status frame_of(const Status& status) {
  Status frame;
  frame.process = status.process;
  frame.workers = status.workers;
  frame.interfaces = status.interfaces;
  frame.joins = status.joins;
  frame.reflectors = status.reflectors;
  frame.totals = status.totals;
  frame.fast_path = status.fast_path;
  for (const auto& membership : status.memberships)
    if (is_unjoined(membership) && frame.memberships.size() < most_listed_memberships)
      frame.memberships.push_back(membership);
  return frame;
}

template <typename Reason>
json advice_by(const auto& names) {
  json object;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& [meaning, remedy] = advice_about(static_cast<Reason>(i));
    object[std::string(names[i])] = {{"meaning", meaning}, {"remedy", remedy}};
  }
  return object;
}

}  // namespace

json overview(const Status& status, Count known) {
  auto document = frame_to_json(frame_of(status));
  auto& columns = document["rules"] = json::object();
  if (!known || known != status.process.generation) add_texts(columns, status);
  Notes notes;
  add_values(columns, status, notes);
  document["notes"] = notes.texts();
  document["paths"] = paths;
  auto& states = document["states"] = json::array();
  for (const auto state : rule_states)
    states.push_back(to_string(state));
  if (status.joins) {
    document["membership"]["count"] = status.memberships.size();
    document["membership"]["unjoined"] = std::ranges::count_if(status.memberships, is_unjoined);
  }
  return document;
}

json drop_reasons() {
  return {{"input", advice_by<InputDrop>(input_drop_names)},
          {"output", advice_by<OutputDrop>(output_drop_names)}};
}

json rule_in_full(const Status& status, std::string_view name) {
  const auto found = std::ranges::find(status.rules, name, &Rule::name);
  if (found == status.rules.end()) return {};
  auto object = to_json(*found);
  object["notes"] = notes_about(unjoined(status), *found);
  object["advice"] = advice_for(status, *found);
  return object;
}

}  // namespace mcr::status
