// The schema of an answer is what is common to examples of it: the answers that a relay would give
// that has everything, and one of which nothing is known (status/specimen.hpp). So it cannot tell
// anything else than the code that answers.
//   type        all that were seen at a place; null: unknown, or none
//   required    the keys that every example has
//   enum        the words of a "state", of which the examples have each
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "http_routes.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/status/specimen.hpp"

namespace mcr {

namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

/// All that was seen at one place of the examples.
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
  if (seen.objects != 0) add_keys(schema, seen);
  if (seen.items) schema["items"] = schema_of(*seen.items, "");
  return schema;
}

Json answer_schema(const HttpRoute& route) {
  Seen seen;
  for (const auto& status : {status::full_specimen(), status::empty_specimen()}) {
    const HttpApi api{.status = [&]() -> const Status& { return status; }};
    const http::Request request{.method = "GET", .path = route.path};
    look(seen, json::parse(route.answer(request, status.rules.front().name, api).content));
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

/// `described`: this one; its answer is any object, for it would hold itself.
Json operation_of(const HttpRoute& route, bool described) {
  Json schema{{"type", route.type == json_type ? "object" : "string"}};
  if (route.type == json_type && !described) schema = answer_schema(route);
  Json operation{{"summary", route.summary}};
  if (auto parameters = parameters_of(route); !parameters.empty())
    operation["parameters"] = std::move(parameters);
  operation["responses"] = {
      {"200",
       {{"description", route.summary},
        {"content", {{std::string(route.type), {{"schema", std::move(schema)}}}}}}},
      {"403", refusal("A page of another site asks")},
      {"421", refusal("Asked by a name that is neither local nor one of metrics_hosts")}};
  if (route.path.find(name_mark) != std::string_view::npos)
    operation["responses"]["404"] = refusal("There is no such rule");
  return operation;
}

}  // namespace

std::string openapi() {
  Json paths = Json::object();
  for (const auto& route : http_routes())
    paths[std::string(route.path)]["get"] =
        operation_of(route, route.path.ends_with("/openapi.json"));
  const Json document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "mcr, the multicast relay"},
        {"version", MCR_VERSION},
        {"description",
         "Read-only. By TCP at the address of the key `metrics`, and on the control socket. Keys "
         "are added from version to version, never renamed or removed."},
        {"license", {{"name", "Apache-2.0 OR MIT"}}}}},
      {"paths", std::move(paths)}};
  return document.dump(1) + '\n';
}

}  // namespace mcr
