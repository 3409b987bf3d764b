// The verbs of a rule. Each may be repeated: a second time it changes nothing, and succeeds.
//
//   add      "rule": its keys and values. A rule of that name that is another one is a mistake
//   put      "rule": the whole rule; or "text": the same as TOML, and "file", what messages about
//            mistakes call it
//   set      the same; keys that are not named stay as they were. The rule is made if there is none
//   remove   it need not be there
//   enable   the same as set with "enabled"
//   disable
//   show     no change: where the rule stands, and its text
//
// add and set take, beside "rule", "set": [[PATH, VALUE], ...] and "unset": [PATH, ...], where a
// path is a list of keys, and "runtime": true for a rule that is gone after a boot.
#include "mcr/program/rule_requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/printable.hpp"

namespace mcr {

namespace {

using nlohmann::json;

json refuse(const std::string& why) {
  return {{"ok", false}, {"error", why}};
}

RuleHome home_for(const ConfigBook& book, const json& request) {
  if (request.value("runtime", false)) return RuleHome::runtime;
  if (request.value("verb", "") == "add" || request.value("verb", "") == "set")
    return RuleHome::state;
  const auto home = book.home_of(request.value("name", ""));
  return home == RuleHome::runtime ? RuleHome::runtime : RuleHome::state;
}

/// A key and its plural stand for each other.
void put(json& rule, const std::string& key, const json& value) {
  if (key == "input") rule.erase("inputs");
  if (key == "inputs") rule.erase("input");
  rule[key] = value;
}

json* find_parent(json& rule, const json& path, bool make) {
  auto* place = &rule;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const auto key = path[i].get<std::string>();
    if (!place->is_object() || (!make && !place->contains(key))) return nullptr;
    place = &(*place)[key];
    if (place->is_null()) *place = json::object();
  }
  return place->is_object() ? place : nullptr;
}

void require_path(const json& path) {
  if (!path.is_array() || path.empty()) throw Failure(ExitCode::config, "a path needs a key");
}

/// `rule` with what the request says about it.
json changed_rule(json rule, const json& request) {
  rule["name"] = request.at("name");
  const auto parts = request.value("rule", json::object());
  if (!parts.is_object()) throw Failure(ExitCode::config, "a rule has keys and values");
  for (const auto& [key, value] : parts.items())
    put(rule, key, value);
  for (const auto& setting : request.value("set", json::array())) {
    const auto& path = setting.at(0);
    require_path(path);
    auto* parent = find_parent(rule, path, true);
    if (parent == nullptr)
      throw Failure(ExitCode::config, fmt::format("{} is no table", path.front().dump()));
    put(*parent, path.back().get<std::string>(), setting.at(1));
  }
  for (const auto& path : request.value("unset", json::array())) {
    require_path(path);
    if (auto* parent = find_parent(rule, path, false))
      parent->erase(path.back().get<std::string>());
  }
  return rule;
}

RuleAnswer answer_of(const ConfigBook::Outcome& outcome) {
  const auto& [difference, errors] = outcome;
  if (!errors.empty()) return {{{"ok", false}, {"errors", list_errors(errors)}}};
  return {{{"ok", true}, {"difference", difference.str()}}, difference};
}

RuleAnswer outcome_of(ConfigBook& book, const std::vector<RuleChange>& changes, RuleHome home) {
  return answer_of(book.change(changes, home));
}

RuleAnswer unchanged(const ConfigBook& book) {
  const ConfigDifference none{.unchanged = book.rules()};
  return {{{"ok", true}, {"difference", none.str()}}, none};
}

RuleAnswer show(const ConfigBook& book, const std::string& name) {
  const auto entry = book.find(name);
  if (!entry) return {refuse(fmt::format("there is no rule {}", name))};
  constexpr std::string_view homes[] = {"files", "state", "runtime"};
  return {{{"ok", true},
           {"file", entry->file},
           {"line", entry->line},
           {"home", homes[static_cast<std::size_t>(entry->home)]},
           {"elsewhere", entry->elsewhere},
           {"text", write_rule(entry->rule)},
           {"rule", entry->rule}}};
}

RuleAnswer add(ConfigBook& book, const json& request, const std::string& name, RuleHome home) {
  auto rule = changed_rule(json::object(), request);
  if (const auto known = book.find(name)) {
    if (known->home == home && known->rule == rule) return unchanged(book);
    if (known->home == home)
      return {
          refuse(fmt::format("a rule named {} is already at {}, and is another one; mcr rule "
                             "set changes it",
                             printable(name), known->file))};
  }
  return outcome_of(book, {{name, std::move(rule)}}, home);
}

RuleAnswer set(ConfigBook& book, const json& request, const std::string& name, RuleHome home) {
  auto known = book.home_of(name) == home ? book.find(name) : std::nullopt;
  return outcome_of(
      book, {{name, changed_rule(known ? std::move(known->rule) : json::object(), request)}}, home);
}

RuleAnswer put_whole(ConfigBook& book, const json& request, const std::string& name,
                     RuleHome home) {
  if (const auto text = request.find("text"); text != request.end())
    return answer_of(book.apply({.text = text->get_ref<const std::string&>(),
                                 .file = request.value("file", ""),
                                 .name = name},
                                home));
  auto rule = request.at("rule");
  if (!rule.is_object()) throw Failure(ExitCode::config, "a rule has keys and values");
  if (rule.value("name", json(name)) != name)
    return {refuse(fmt::format("the rule's name must be {}", printable(name)))};
  rule["name"] = name;
  return outcome_of(book, {{name, std::move(rule)}}, home);
}

RuleAnswer enable(ConfigBook& book, const std::string& name, RuleHome home, bool on) {
  auto known = book.find(name);
  if (!known) return {refuse(fmt::format("there is no rule {}", printable(name)))};
  if (known->rule.value("enabled", true) == on) return unchanged(book);
  known->rule["enabled"] = on;
  if (on) known->rule.erase("enabled");
  return outcome_of(book, {{name, std::move(known->rule)}}, home);
}

}  // namespace

json list_errors(const std::vector<ConfigError>& errors) {
  json list = json::array();
  for (const auto& error : errors)
    list.push_back({{"file", error.file},
                    {"line", error.line},
                    {"column", error.column},
                    {"message", error.message}});
  return list;
}

RuleAnswer answer_rule_request(ConfigBook& book, const json& request) {
  const auto verb = request.value("verb", "");
  const auto name = request.at("name").get<std::string>();
  const auto home = home_for(book, request);
  if (verb == "show") return show(book, name);
  if (verb == "add") return add(book, request, name, home);
  if (verb == "put") return put_whole(book, request, name, home);
  if (verb == "set") return set(book, request, name, home);
  if (verb == "remove") return outcome_of(book, {{name, std::nullopt}}, home);
  if (verb == "enable" || verb == "disable") return enable(book, name, home, verb == "enable");
  return {refuse("unknown verb")};
}

/// With "prune" the rules of that home that the text does not have are removed.
RuleAnswer answer_apply_request(ConfigBook& book, const json& request,
                                const ConfigBook::TakeOver& take_over) {
  const auto home = request.value("runtime", false) ? RuleHome::runtime : RuleHome::state;
  return answer_of(book.apply({.text = request.at("text").get_ref<const std::string&>(),
                               .file = request.value("file", ""),
                               .prune = request.value("prune", false)},
                              home, take_over));
}

}  // namespace mcr
