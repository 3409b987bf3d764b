#include "mcr/config/schema.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "reader.hpp"
#include "shape.hpp"

namespace mcr {
namespace {

using Json = nlohmann::ordered_json;

Json table_of(std::string_view name, bool by_name) {
  const Json one = {{"$ref", "#/definitions/" + std::string(name)}};
  if (!by_name) return one;
  return {{"type", "object"}, {"additionalProperties", one}};
}

Json words_of(const Shape& shape) {
  auto words = Json::array();
  for (const auto word : shape.words)
    if (!word.empty()) words.push_back(word);
  return words;
}

Json text_of(const Shape& shape) {
  Json text = {{"type", "string"}, {"pattern", shape.pattern}};
  if (shape.least_length != 0) text["minLength"] = shape.least_length;
  if (shape.most_length != 0) text["maxLength"] = shape.most_length;  // bytes are no fewer
  return text;
}

Json one_of_forms(const Shape& shape) {
  auto forms = Json::array();
  if (shape.least <= shape.most)
    forms.push_back({{"type", "integer"}, {"minimum", shape.least}, {"maximum", shape.most}});
  if (shape.boolean) forms.push_back({{"type", "boolean"}});
  if (auto words = words_of(shape); !words.empty()) forms.push_back({{"enum", std::move(words)}});
  if (!shape.pattern.empty()) forms.push_back(text_of(shape));
  if (!shape.table.empty()) forms.push_back(table_of(shape.table, shape.by_name));
  if (forms.size() == 1) return forms[0];
  return {{"anyOf", std::move(forms)}};
}

Json schema_of(const Shape& shape) {
  auto one = one_of_forms(shape);
  if (shape.most_items == 0) return one;
  Json list = {{"type", "array"}, {"items", one}, {"maxItems", shape.most_items}};
  if (shape.least_items != 0) list["minItems"] = shape.least_items;
  if (!shape.or_one) return list;
  return {{"anyOf", Json::array({std::move(one), std::move(list)})}};
}

/// That a table has one of these keys, or at most one.
Json schema_of(const Alternatives& alternatives) {
  auto any = Json::array();
  for (const auto key : alternatives.keys)
    if (!key.empty()) any.push_back({{"required", Json::array({key})}});
  auto ways = any;
  if (!alternatives.needed) ways.push_back({{"not", {{"anyOf", std::move(any)}}}});
  return {{"oneOf", std::move(ways)}};
}

Json schema_of(const KeyTable& table) {
  auto properties = Json::object();
  auto needed = Json::array();
  for (const auto& [name, shape] : table.keys) {
    properties[std::string(name)] = schema_of(shape);
    if (shape.needed) needed.push_back(name);
  }
  Json schema = {
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!needed.empty()) schema["required"] = std::move(needed);
  if (table.least_keys != 0) schema["minProperties"] = table.least_keys;
  for (const auto& each : table.alternatives)
    schema["allOf"].push_back(schema_of(each));
  return schema;
}

}  // namespace

std::string config_schema() {
  auto definitions = Json::object();
  for (const auto& table : key_tables())
    definitions[std::string(table.name)] = schema_of(table);
  const Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                       {"title", "Configuration of mcr, the multicast relay"},
                       {"$ref", "#/definitions/file"},
                       {"definitions", std::move(definitions)}};
  return schema.dump(2);
}

}  // namespace mcr
