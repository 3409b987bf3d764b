#include "rule_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// Keys that come first; the others follow in the order of the alphabet.
constexpr std::array<std::string_view, 8> first_keys{"name", "interface", "group", "address",
                                                     "host", "port",      "input", "inputs"};

std::vector<std::string> ordered_keys(const json& table) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : table.items())
    keys.push_back(key);
  std::ranges::stable_sort(keys, {}, [](const std::string& key) {
    return std::ranges::find(first_keys, key) - first_keys.begin();
  });
  return keys;
}

bool is_bare(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](unsigned char byte) {
    return (byte < 0x80 && std::isalnum(byte) != 0) || byte == '_' || byte == '-';
  });
}

bool is_plain(std::string_view value) {
  return std::ranges::all_of(value, [](unsigned char byte) {
    return byte >= ' ' && byte < '\x7f' && byte != '"' && byte != '\\';
  });
}

/// JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
std::string text_of(const std::string& value) {
  if (is_plain(value)) return '"' + value + '"';
  std::string text;
  for (const char byte : json(value).dump(-1, ' ', false, json::error_handler_t::replace))
    text += byte == '\x7f' ? std::string("\\u007F") : std::string(1, byte);
  return text;
}

std::string value_of(const json& value);

std::string table_of(const json& table) {
  std::string text;
  for (const auto& key : ordered_keys(table))
    text += fmt::format("{}{} = {}", text.empty() ? " " : ", ", is_bare(key) ? key : text_of(key),
                        value_of(table[key]));
  return text.empty() ? "{}" : "{" + text + " }";
}

std::string list_of(const json& list) {
  const bool of_tables = !list.empty() && list.front().is_object();
  std::string text;
  for (const auto& element : list)
    text += of_tables ? fmt::format("\n  {},", value_of(element))
                      : (text.empty() ? "" : ", ") + value_of(element);
  return '[' + text + (of_tables ? "\n]" : "]");
}

std::string value_of(const json& value) {
  if (value.is_string()) return text_of(value.get<std::string>());
  if (value.is_object()) return table_of(value);
  if (value.is_array()) return list_of(value);
  const bool fits =
      !value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
  if ((value.is_boolean() || value.is_number()) && fits) return value.dump();
  throw Failure(ExitCode::config, fmt::format("no value of a rule can be {}", value.dump()));
}

json json_of(const toml::node& node) {
  if (const auto* table = node.as_table()) return rule_object(*table);
  if (const auto* list = node.as_array()) {
    auto elements = json::array();
    for (const auto& element : *list)
      elements.push_back(json_of(element));
    return elements;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  return "a date";
}

}  // namespace

std::string rule_text(const json& rule) {
  std::string text = "[[rule]]\n";
  for (const auto& key : ordered_keys(rule))
    text += fmt::format("{} = {}\n", is_bare(key) ? key : text_of(key), value_of(rule[key]));
  return text;
}

json rule_object(const toml::table& rule) {
  auto object = json::object();
  for (const auto& [key, node] : rule)
    object[std::string(key.str())] = json_of(node);
  return object;
}

}  // namespace mcr
