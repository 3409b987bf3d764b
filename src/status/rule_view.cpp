#include "rule_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/base/printable.hpp"

namespace mcr::status {

namespace {

/// One without outputs only listens.
bool is_silent(const Rule& rule) {
  return rule.state == RuleState::active && rule.rx_datagrams == std::uint64_t{0} &&
         !rule.outputs.empty();
}

void add_kind(RuleVerdict& verdict, const std::string& kind) {
  if (verdict.kind.find(kind) == std::string::npos)
    verdict.kind += (verdict.kind.empty() ? "" : "; ") + kind;
}

template <typename AnyDrops>
void judge_drops(RuleVerdict& verdict, const AnyDrops& drops) {
  for (const auto& [reason, datagrams] : unusual(nonzero(drops))) {
    verdict.drops = true;
    add_kind(verdict, "has dropped " + reason);
  }
}

void judge_output(RuleVerdict& verdict, const Output& output) {
  judge_drops(verdict, output.drops);
  if (output.state != OutputState::waiting && output.reason.empty()) return;
  verdict.troubled = true;
  add_kind(verdict, output.reason.empty() ? "an output is waiting"
                                          : "an output: " + printable(output.reason.text));
}

std::string output_note(const Output& output) {
  if (!output.reason.empty())
    return fmt::format("output {}{}: {}", place(output.config),
                       output.state == OutputState::waiting ? " is waiting" : "",
                       printable(output.reason.text));
  return output.state == OutputState::waiting
             ? fmt::format("output {} is waiting", place(output.config))
             : "";
}

TextTable::Row row_of(const Unjoined& unjoined, const Rule& rule) {
  return {{shown(rule.name), shown(rule.state), input_text(rule), si(rule.rate_pps),
           si(rule.rate_bps), last_seen(rule)},
          notes_about(unjoined, rule),
          {},
          remarks_about(rule)};
}

std::string text_of_first(const auto& first, std::size_t all) {
  auto result = fmt::format("{} {}", shown(first.interface), destination_text(first));
  if (all > 1) result += fmt::format(" +{}", all - 1);
  return result;
}

}  // namespace

std::string input_text(const Rule& rule) {
  return rule.inputs.empty() ? "-" : text_of_first(rule.inputs.front(), rule.inputs.size());
}

std::string output_text(const Rule& rule) {
  return rule.outputs.empty() ? "-"
                              : text_of_first(rule.outputs.front().config, rule.outputs.size());
}

RuleVerdict judge_rule(const Rule& rule) {
  RuleVerdict verdict;
  verdict.troubled = rule.state != RuleState::active && rule.state != RuleState::disabled;
  if (!rule.reason.empty()) {
    verdict.troubled = true;
    verdict.kind = printable(rule.reason.text);
  }
  judge_drops(verdict, rule.drops);
  if (is_silent(rule)) {
    verdict.silent = true;
    add_kind(verdict, "no datagram yet");
  }
  for (const auto& output : rule.outputs)
    judge_output(verdict, output);
  return verdict;
}

std::vector<std::string> notes_about(const Unjoined& unjoined, const Rule& rule) {
  std::vector<std::string> notes;
  if (!rule.reason.empty()) notes.push_back(printable(rule.reason.text));
  if (is_silent(rule)) notes.push_back(silence(unjoined, rule));
  if (auto drops = unusual(nonzero(rule.drops)); !drops.empty())
    notes.push_back("dropped on input: " + drops_text(drops));
  for (const auto& output : rule.outputs) {
    if (auto note = output_note(output); !note.empty()) notes.push_back(std::move(note));
    if (auto drops = unusual(nonzero(output.drops)); !drops.empty())
      notes.push_back(fmt::format("output {} dropped {}{}", place(output.config), drops_text(drops),
                                  output.error.empty() ? "" : "; " + printable(output.error.text)));
  }
  return notes;
}

std::string remark_about(const Output& output) {
  if (!output.carrier) return "";
  const auto& [relay, age_s] = *output.carrier;
  return fmt::format("another relay{} carries this; this one stands by{}",
                     relay.empty() ? "" : fmt::format(", {},", printable(relay)),
                     age_s ? fmt::format(" (last datagram {} ago)", duration(*age_s)) : "");
}

std::vector<std::string> remarks_about(const Rule& rule) {
  std::vector<std::string> remarks;
  for (const auto& output : rule.outputs)
    if (const auto remark = remark_about(output); !remark.empty())
      remarks.push_back(fmt::format("to {}: {}", place(output.config), remark));
  return remarks;
}

std::string rules_table(const Status& status, std::size_t columns, bool of_reflectors) {
  std::vector<const Rule*> rules;
  for (const auto& rule : status.rules)
    if (of_reflectors || rule.reflector.empty()) rules.push_back(&rule);
  if (rules.empty()) return "";
  std::stable_partition(rules.begin(), rules.end(),
                        [](const Rule* rule) { return judge_rule(*rule).needs_attention(); });
  const auto not_joined = unjoined(status);
  TextTable table({{"RULE", false, true},
                   {"STATE"},
                   {"INPUT", false, true},
                   {"PKT/S", true},
                   {"BIT/S", true},
                   {"SEEN", true}});
  for (const auto* rule : rules)
    table.add(row_of(not_joined, *rule));
  return '\n' + table.str(columns);
}

}  // namespace mcr::status
