#include "mcr/program/request_json.hpp"

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

bool is_too_deep(std::string_view text) {
  constexpr int deepest = 64;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size() && depth <= deepest; ++i) {
    const char byte = text[i];
    if (byte == '"') quoted = !quoted;
    if (quoted && byte == '\\') ++i;
    if (quoted) continue;
    if (byte == '[' || byte == '{') ++depth;
    if (byte == ']' || byte == '}') --depth;
  }
  return depth > deepest;
}

}  // namespace

std::optional<nlohmann::json> read_request(std::string_view text) {
  if (is_too_deep(text)) throw Failure(ExitCode::config, "the request is nested too deeply");
  auto request = nlohmann::json::parse(text, nullptr, false);
  return request.is_object() ? std::optional(std::move(request)) : std::nullopt;
}

}  // namespace mcr
