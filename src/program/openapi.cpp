// The schema of an answer is what is common to examples of it: the answers that a relay would give
// that has everything, and one of which nothing is known (status/specimen.hpp). So it cannot tell
// anything else than the code that answers.
//   type        all that were seen at a place; null: unknown, or none
//   properties  the keys; none: it may have any (a rule, as its file has it)
//   required    the keys that every example has
//   enum        the words of a "state", of which the examples have each
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "http_routes.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/rule_requests.hpp"
#include "mcr/status/specimen.hpp"

namespace mcr {

namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

/// The values that the examples have at one place.
struct Seen {
  std::set<std::string> types;
  std::set<std::string> words;
  std::size_t objects = 0;
  std::map<std::string, std::pair<std::size_t, std::unique_ptr<Seen>>> keys;  ///< how often, what
  std::unique_ptr<Seen> items;
};

std::string type_of(const json& value) {
  if (value.is_number_integer()) return "integer";
  return value.is_number() ? "number" : value.type_name();
}

void look(Seen& seen, const json& value) {
  seen.types.insert(type_of(value));
  if (value.is_string()) seen.words.insert(value.get<std::string>());
  if (value.is_array()) {
    if (!seen.items) seen.items = std::make_unique<Seen>();
    for (const auto& each : value)
      look(*seen.items, each);
  }
  if (!value.is_object()) return;
  ++seen.objects;
  for (const auto& [key, each] : value.items()) {
    auto& [times, what] = seen.keys[key];
    ++times;
    if (!what) what = std::make_unique<Seen>();
    look(*what, each);
  }
}

Json schema_of(const Seen& seen, std::string_view key);

void add_keys(Json& schema, const Seen& seen) {
  auto& properties = schema["properties"] = Json::object();
  auto required = Json::array();
  for (const auto& [key, found] : seen.keys) {
    properties[key] = schema_of(*found.second, key);
    if (found.first == seen.objects) required.push_back(key);
  }
  if (!required.empty()) schema["required"] = std::move(required);
}

Json schema_of(const Seen& seen, std::string_view key) {
  auto types = seen.types;
  if (types.contains("number")) types.erase("integer");
  auto schema = Json::object();
  if (types.size() == 1)
    schema["type"] = *types.begin();
  else if (!types.empty())
    schema["type"] = types;
  if (key == "state" && types.contains("string")) {
    schema["enum"] = seen.words;
    if (types.contains("null")) schema["enum"].push_back(nullptr);
  }
  if (!seen.keys.empty()) add_keys(schema, seen);
  if (seen.items) schema["items"] = schema_of(*seen.items, "");
  return schema;
}

/// The control socket's answer about a rule that it knows (rule_requests.hpp).
json specimen_definition() {
  return {{"ok", true},
          {"file", "/var/lib/mcr/rules.d/rule.toml"},
          {"line", 2},
          {"home", "state"},
          {"text", "..."},
          {"elsewhere", false},
          {"rule", json::object()}};
}

Json answer_schema(const HttpRoute& route) {
  Seen seen;
  const auto events = status::specimen_events();
  const auto since = fmt::format("since={}", status::first_specimen_event);
  const auto look_at = [&](const Status& status, bool may_write) {
    HttpApi api{.status = [&]() -> const Status& { return status; }, .events = &events};
    if (may_write) api.rule = [](const json& /*request*/) { return specimen_definition(); };
    const http::Request request{.method = "GET", .path = route.path, .query = since};
    look(seen, json::parse(route.answer(request, status.rules.front().name, api).content));
  };
  look_at(status::full_specimen(), true);
  look_at(status::empty_specimen(), false);
  return schema_of(seen, "");
}

/// Answers to requests that change something.
Json change_schema(bool refused) {
  Seen seen;
  if (!refused) {
    look(seen, {{"ok", true}, {"difference", "+1 -0 ~0 =96"}});
  } else {
    look(seen, {{"ok", false}, {"error", "..."}});
    look(seen, {{"ok", false}, {"errors", list_errors({{"content", 2, 8, "..."}})}});
  }
  return schema_of(seen, "");
}

Json parameters_of(const HttpRoute& route) {
  auto parameters = Json::array();
  if (route.path.find(name_mark) != std::string_view::npos)
    parameters.push_back({{"name", "name"},
                          {"in", "path"},
                          {"required", true},
                          {"description", "The rule's name, with its escapes (%2F)"},
                          {"schema", {{"type", "string"}}}});
  for (const auto& [name, meaning] : route.parameters)
    if (!name.empty())
      parameters.push_back({{"name", name},
                            {"in", "query"},
                            {"description", meaning},
                            {"schema", {{"type", "string"}}}});
  return parameters;
}

Json refusal(std::string_view why) {
  return {{"description", why}, {"content", {{"text/plain", {{"schema", {{"type", "string"}}}}}}}};
}

Json answer(std::string_view what, std::string_view type, Json schema) {
  return {{"description", what}, {"content", {{std::string(type), {{"schema", schema}}}}}};
}

/// The description itself is any object, for it would hold itself.
Json success(const HttpRoute& route) {
  if (route.writes()) return answer(route.summary, route.type, change_schema(false));
  if (route.type != json_type) return answer(route.summary, route.type, {{"type", "string"}});
  if (route.path.ends_with("/openapi.json"))
    return answer(route.summary, route.type, {{"type", "object"}});
  return answer(route.summary, route.type, answer_schema(route));
}

Json outcome_of(const HttpOutcome& outcome) {
  switch (outcome.status) {
    case http::Status::created:
      return answer(outcome.meaning, json_type, change_schema(false));
    case http::Status::conflict:
    case http::Status::unprocessable:
      return answer(outcome.meaning, json_type, change_schema(true));
    case http::Status::no_content:
    case http::Status::not_modified:
      return {{"description", outcome.meaning}};
    default:
      return refusal(outcome.meaning);
  }
}

/// The content that PUT sends.
Json content_of_rule() {
  return {{"required", true},
          {"description", "The whole rule: an object of its keys, or one [[rule]] of TOML"},
          {"content",
           {{std::string(json_type), {{"schema", {{"type", "object"}}}}},
            {"application/toml", {{"schema", {{"type", "string"}}}}}}}};
}

Json operation_of(const HttpRoute& route) {
  Json operation{{"summary", route.summary}};
  if (route.writes()) operation["description"] = "On the control socket only.";
  if (auto parameters = parameters_of(route); !parameters.empty())
    operation["parameters"] = std::move(parameters);
  if (route.method == "PUT") operation["requestBody"] = content_of_rule();
  auto& responses = operation["responses"] = Json::object();
  if (route.method != "DELETE") responses["200"] = success(route);
  for (const auto& outcome : route.outcomes)
    if (!outcome.meaning.empty())
      responses[std::to_string(static_cast<unsigned>(outcome.status))] = outcome_of(outcome);
  responses["403"] = refusal("A page of another site asks");
  if (!route.writes())
    responses["421"] = refusal("Asked by a name that is neither local nor one of metrics_hosts");
  return operation;
}

std::string lower(std::string_view method) {
  std::string text(method);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string describe() {
  Json paths = Json::object();
  for (const auto& route : http_routes())
    paths[std::string(route.path)][lower(route.method)] = operation_of(route);
  const Json document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "mcr, the multicast relay"},
        {"version", MCR_VERSION},
        {"description",
         "By TCP at the address of the key `metrics`, read-only, and on the control socket. Keys "
         "are added from version to version, never renamed or removed."},
        {"license", {{"name", "Apache-2.0 OR MIT"}}}}},
      {"paths", std::move(paths)}};
  return document.dump(1) + '\n';
}

}  // namespace

const std::string& openapi() {
  static const auto text = describe();  // the control thread has other things to do
  return text;
}

}  // namespace mcr
