// A document of 10,000 rules has some million values. As a tree they take more memory than any
// cache has, and most of the time goes into making it and taking it apart. So one rule at a time is
// a tree, and there is never more than that and the text.
#include <nlohmann/json.hpp>
#include <string>

#include "mcr/status/json.hpp"

namespace mcr::status {

namespace {

using nlohmann::json;

std::string text_of(const json& value) {
  constexpr auto replace = json::error_handler_t::replace;
  return value.dump(-1, ' ', false, replace);
}

void add_rules(std::string& text, const std::vector<Rule>& rules) {
  text += '[';
  for (const auto& rule : rules) {
    if (&rule != rules.data()) text += ',';
    text += text_of(to_json(rule));
  }
  text += ']';
}

}  // namespace

std::string to_text(const Status& status) {
  auto frame = frame_to_json(status);
  frame["rules"] = nullptr;  // its place among the keys
  std::string text;
  for (const auto& [key, value] : frame.items()) {
    text += text.empty() ? '{' : ',';
    text += text_of(key) + ':';
    if (key == "rules")
      add_rules(text, status.rules);
    else
      text += text_of(value);
  }
  text += '}';
  return text;
}

}  // namespace mcr::status
