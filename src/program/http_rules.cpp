// A rule by HTTP is what it is to `mcr rule`: the requests are those of the control socket
// (rule_requests.hpp), and so are the texts of the answers. What HTTP adds is the entity tag: a
// hash of the rule as its file has it. It tells two writers apart who have read the same rule; the
// counters, which change all the time, do not change it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "http_routes.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/hash.hpp"
#include "mcr/program/request_json.hpp"
#include "mcr/status/overview.hpp"

namespace mcr {

namespace {

using http::Request;
using http::Response;
using nlohmann::json;

Response broken_escape() {
  return {http::Status::bad_request, "an escape in the path is broken\n"};
}

/// As files and the book have the rule; "ok" is false where there is none.
json find_definition(const HttpApi& api, const std::string& name) {
  return api.rule({{"verb", "show"}, {"name", name}});
}

/// "": there is no such rule.
std::string tag_of(const json& definition) {
  if (!definition.value("ok", false)) return "";
  constexpr auto replace = json::error_handler_t::replace;
  return fmt::format("\"{:016x}\"", hash_of(definition.at("rule").dump(-1, ' ', false, replace)));
}

std::string tag_line(const std::string& tag) {
  return tag.empty() ? "" : fmt::format("ETag: {}\r\n", tag);
}

/// RFC 9110, 13.2.2: before the request is looked at any further.
std::optional<Response> unmet(const Request& request, const std::string& tag) {
  const bool wrong = (request.if_match && !http::has_tag(*request.if_match, tag, false)) ||
                     (request.if_none_match && http::has_tag(*request.if_none_match, tag, true));
  if (!wrong) return std::nullopt;
  return Response{.status = http::Status::precondition_failed,
                  .content = tag.empty() ? "there is no such rule\n"
                                         : "the rule is another one than the request expects\n",
                  .more = tag_line(tag)};
}

/// The request of the control socket; nothing if the content is neither a table nor TOML.
std::optional<json> wish_of(const Request& request, const std::string& name) {
  json wish{{"verb", "put"}, {"name", name}};
  if (http::query_value(request.query, "runtime") == "true") wish["runtime"] = true;
  const auto first = request.content.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && request.content[first] == '{') {
    auto rule = read_request(request.content);
    if (!rule) return std::nullopt;
    wish["rule"] = *std::move(rule);
  } else {
    wish["text"] = request.content;
    wish["file"] = http::query_value(request.query, "file").value_or("content");
  }
  return wish;
}

/// Says why the rule could not be put or removed. A rule of this name in a file for people, or in
/// another folder than the one asked for, is a conflict, whatever the content is.
Response refused(const json& answer, const json& before, const json& wish) {
  const auto home = before.value("home", "");
  const bool in_the_way = home == "files" || (home == "state" && wish.value("runtime", false));
  return as_json(answer, in_the_way ? http::Status::conflict : http::Status::unprocessable);
}

}  // namespace

/// A client that may change rules gets the definition, too.
Response get_rule(const Request& request, std::string_view name, const HttpApi& api) {
  const auto wanted = http::unescape(name);
  if (!wanted) return broken_escape();
  auto definition = api.rule ? find_definition(api, *wanted) : json::object();
  const auto tag = tag_of(definition);
  if (request.if_none_match && http::has_tag(*request.if_none_match, tag, true))
    return {.status = http::Status::not_modified, .content = "", .more = tag_line(tag)};
  auto rule = status::rule_in_full(api.status(), *wanted);
  if (!tag.empty()) {
    if (rule.is_null()) rule = {{"name", *wanted}};
    definition.erase("ok");
    rule["definition"] = std::move(definition);
  }
  if (rule.is_null()) return {http::Status::not_found, "there is no such rule\n"};
  auto response = as_json(rule);
  response.more = tag_line(tag);
  return response;
}

Response put_rule(const Request& request, std::string_view name, const HttpApi& api) try {
  const auto wanted = http::unescape(name);
  if (!wanted) return broken_escape();
  const auto before = find_definition(api, *wanted);
  const auto tag = tag_of(before);
  if (auto response = unmet(request, tag)) return *std::move(response);
  const auto wish = wish_of(request, *wanted);
  if (!wish) return {http::Status::bad_request, "the content is neither a JSON object nor TOML\n"};
  const auto answer = api.rule(*wish);
  if (!answer.value("ok", false)) return refused(answer, before, *wish);
  auto response = as_json(answer, tag.empty() ? http::Status::created : http::Status::ok);
  response.more = tag_line(tag_of(find_definition(api, *wanted)));
  return response;
} catch (const Failure& failure) {
  if (failure.exit_code() != ExitCode::config) throw;
  return as_json({{"ok", false}, {"error", failure.what()}}, http::Status::unprocessable);
}

Response delete_rule(const Request& request, std::string_view name, const HttpApi& api) {
  const auto wanted = http::unescape(name);
  if (!wanted) return broken_escape();
  const auto before = find_definition(api, *wanted);
  const auto tag = tag_of(before);
  if (auto response = unmet(request, tag)) return *std::move(response);
  if (tag.empty()) return {http::Status::not_found, "there is no such rule\n"};
  const json wish{{"verb", "remove"}, {"name", *wanted}};
  const auto answer = api.rule(wish);
  if (!answer.value("ok", false)) return refused(answer, before, wish);
  return {.status = http::Status::no_content, .content = ""};
}

}  // namespace mcr
