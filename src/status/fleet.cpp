// An overview has its rules as columns. Any program may answer at that port, so nothing in them is
// believed: what does not fit is left out, and a rule of unknown state counts as troubled.
#include "mcr/status/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>
#include <utility>

#include "json_values.hpp"
#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

constexpr std::size_t most_listed = 40;  // troubled rules, for people
constexpr unsigned default_columns = 100;

/// The text whose index the column has for this rule; "" where there is none.
std::string text_at(const json& texts, const json& column, std::size_t rule) {
  const auto index = rule < column.size() ? read_small<std::size_t>(column[rule]) : std::nullopt;
  return index && *index < texts.size() ? read_text(texts[*index]) : "";
}

double number_at(const json& column, std::size_t rule) {
  return rule < column.size() ? read_number(column[rule]).value_or(0) : 0;
}

bool is_well(const std::string& state) {
  return state == to_string(RuleState::active) || state == to_string(RuleState::disabled);
}

void add_rule(FleetRelay& relay, const json& document, std::size_t rule) {
  const auto& columns = at(document, "rules");
  auto state = text_at(list(document, "states"), list(columns, "state"), rule);
  if (state.empty()) state = "unknown";
  ++relay.states[state];
  relay.rate_pps += number_at(list(columns, "rate_pps"), rule);
  relay.rate_bps += number_at(list(columns, "rate_bps"), rule);
  if (is_well(state) && number_at(list(columns, "attention"), rule) == 0) return;
  relay.troubled.push_back({read_text(list(columns, "name")[rule]), state,
                            text_at(list(document, "notes"), list(columns, "note"), rule)});
}

struct Trouble {
  const FleetRelay* relay;
  const FleetTrouble* rule;
};

/// The troubled rules of all relays: failed ones first, those that run last.
std::vector<Trouble> troubled_of(const std::vector<FleetRelay>& relays) {
  std::vector<Trouble> all;
  for (const auto& relay : relays)
    for (const auto& rule : relay.troubled)
      all.push_back({&relay, &rule});
  std::ranges::stable_sort(all, {}, [](const Trouble& each) {
    return std::tuple(each.rule->state != to_string(RuleState::failed), is_well(each.rule->state));
  });
  return all;
}

/// "2 failed, 1 waiting, 97 active"
std::string states_text(const FleetRelay& relay) {
  std::string text;
  for (const bool well : {false, true})
    for (const auto& [state, rules] : relay.states)
      if (is_well(state) == well)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", grouped(rules), shown(state));
  return text.empty() ? "no rules" : text;
}

std::string relays_table(const std::vector<FleetRelay>& relays, std::size_t columns) {
  TextTable table({{"RELAY"},
                   {.title = "RULES", .shrinks = true},
                   {.title = "PACKETS/S", .right = true},
                   {.title = "BIT/S", .right = true},
                   {.title = "UP", .right = true}});
  for (const auto& relay : relays)
    if (!relay.error.empty())
      table.add({{shown(relay.host), "no answer", "-", "-", "-"}, {printable(relay.error)}});
    else
      table.add({{shown(relay.host), states_text(relay), si(relay.rate_pps), si(relay.rate_bps),
                  duration(relay.uptime_s)},
                 {}});
  return table.str(columns);
}

std::string troubled_table(const std::vector<FleetRelay>& relays, std::size_t columns) {
  TextTable table({{"RELAY"},
                   {"STATE"},
                   {.title = "RULE", .shrinks = true},
                   {.title = "WHY", .shrinks = true}});
  const auto all = troubled_of(relays);
  if (all.empty()) return "";
  for (const auto& [relay, rule] : std::span(all).first(std::min(all.size(), most_listed)))
    table.add({{shown(relay->host), shown(rule->state), shown(rule->rule), shown(rule->note)}, {}});
  return '\n' + table.str(columns) +
         (all.size() > most_listed ? fmt::format("and {} more\n", grouped(all.size() - most_listed))
                                   : "");
}

}  // namespace

bool FleetRelay::healthy() const {
  return error.empty() &&
         std::ranges::all_of(states, [](const auto& state) { return is_well(state.first); });
}

FleetRelay read_overview(std::string host, const json& document) {
  FleetRelay relay{.host = std::move(host)};
  const auto& columns = at(document, "rules");
  if (!columns.is_object() || !at(columns, "name").is_array()) {
    relay.error = "what answers there is no mcr daemon";
    return relay;
  }
  relay.version = read_text(at(document, "version"));
  relay.uptime_s = read_number(at(document, "uptime_s")).value_or(0);
  relay.rules = list(columns, "name").size();
  for (std::size_t rule = 0; rule < relay.rules; ++rule)
    add_rule(relay, document, rule);
  return relay;
}

std::string render_fleet(const std::vector<FleetRelay>& relays, unsigned columns) {
  const std::size_t width = columns == 0 ? default_columns : columns;
  return relays_table(relays, width) + troubled_table(relays, width);
}

json to_json(const std::vector<FleetRelay>& relays) {
  auto list = json::array();
  auto troubled = json::array();
  for (const auto& relay : relays) {
    list.push_back({{"host", relay.host},
                    {"error", relay.error},
                    {"version", relay.version},
                    {"uptime_s", relay.uptime_s},
                    {"rules", relay.rules},
                    {"states", relay.states},
                    {"rate_pps", relay.rate_pps},
                    {"rate_bps", relay.rate_bps}});
  }
  for (const auto& [relay, rule] : troubled_of(relays))
    troubled.push_back({{"host", relay->host},
                        {"rule", rule->rule},
                        {"state", rule->state},
                        {"reason", rule->note}});
  return {{"healthy", std::ranges::all_of(relays, &FleetRelay::healthy)},
          {"relays", std::move(list)},
          {"troubled", std::move(troubled)}};
}

}  // namespace mcr::status
