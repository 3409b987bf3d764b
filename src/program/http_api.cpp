// A browser runs pages of other sites, which may ask us as well. What guards its user:
//   a page under its own name       421 unless the name is an address or a local one (http.hpp)
//   a page that tells its origin    403 unless that is our own
//   a page in whose frame we stand  Content-Security-Policy, in every answer
// The metrics are exempt from the first: Prometheus asks by whatever name it was given.
#include "mcr/program/http_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "http_routes.hpp"
#include "mcr/program/http.hpp"
#include "mcr/status/digest.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/overview.hpp"
#include "page.hpp"

namespace mcr {

namespace {

using http::Request;
using http::Response;
using nlohmann::json;

Response as_json(const json& document) {
  constexpr auto replace = json::error_handler_t::replace;
  return {.content = document.dump(-1, ' ', false, replace) + '\n', .type = json_type};
}

Response page(const Request& /*request*/, std::string_view /*name*/, const HttpApi& /*api*/) {
  auto policy = fmt::format(
      "Content-Security-Policy: default-src 'none'; script-src '{}'; style-src '{}'; "
      "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'; require-trusted-types-for 'script'\r\n",
      page_script_hash, page_style_hash);
  return {.content = std::string(page_html),
          .type = "text/html; charset=utf-8",
          .more = std::move(policy)};
}

Response metrics(const Request& /*request*/, std::string_view /*name*/, const HttpApi& api) {
  return {.content = api.metrics(), .type = "text/plain; version=0.0.4; charset=utf-8"};
}

Response whole_status(const Request& request, std::string_view /*name*/, const HttpApi& api) {
  json asked{{"command", "status"}};
  for (const auto* key : {"state", "pattern"})
    if (auto value = http::query_value(request.query, key)) asked[key] = *std::move(value);
  asked["brief"] = http::query_value(request.query, "brief") == "true";
  return as_json(status::answer_request(api.status(), asked));
}

Response overview(const Request& request, std::string_view /*name*/, const HttpApi& api) {
  const auto known = http::query_value(request.query, "known").value_or("");
  std::uint64_t generation = 0;
  const auto [end, error] = std::from_chars(known.data(), known.data() + known.size(), generation);
  return as_json(status::overview(api.status(),
                                  error == std::errc() ? status::Count(generation) : std::nullopt));
}

Response one_rule(const Request& /*request*/, std::string_view name, const HttpApi& api) {
  const auto wanted = http::unescape(name);
  if (!wanted) return {http::Status::bad_request, "an escape in the path is broken\n"};
  const auto rule = status::rule_in_full(api.status(), *wanted);
  if (rule.is_null()) return {http::Status::not_found, "there is no such rule\n"};
  return as_json(rule);
}

Response drop_reasons(const Request& /*request*/, std::string_view /*name*/,
                      const HttpApi& /*api*/) {
  return as_json(status::drop_reasons());
}

Response description(const Request& /*request*/, std::string_view /*name*/,
                     const HttpApi& /*api*/) {
  return {.content = openapi(), .type = json_type};
}

constexpr std::string_view html_type = "text/html";
constexpr std::string_view text_type = "text/plain";

constexpr std::array<HttpRoute, 7> routes{{
    {"/", "The page for people", html_type, page},
    {"/metrics", "Metrics for Prometheus (text format 0.0.4)", text_type, metrics},
    {"/v1/status",
     "What `mcr status --json` prints",
     json_type,
     whole_status,
     {{{"state", "Only rules in this state"},
       {"pattern", "Only rules whose name matches, with * and ?"},
       {"brief", "true: a digest instead of more than 40 rules"}}}},
    {"/v1/overview",
     "What the page shows of all rules, as columns",
     json_type,
     overview,
     {{{"known", "The generation whose texts the client has: they are left out"}}}},
    {"/v1/rules/{name}", "One rule, with what is to be said and done about it", json_type,
     one_rule},
    {"/v1/drop-reasons", "What each drop reason means, and what to do", json_type, drop_reasons},
    {"/v1/openapi.json", "This description", json_type, description},
}};

struct Found {
  const HttpRoute* route = nullptr;
  std::string_view name;
};

Found find_route(std::string_view path) {
  for (const auto& route : routes) {
    const auto front = route.path.substr(0, route.path.find(name_mark));
    const bool named = front.size() != route.path.size();
    if (named && path.starts_with(front) && path.size() > front.size())
      return {&route, path.substr(front.size())};
    if (!named && path == route.path) return {&route, {}};
  }
  return {};
}

bool is_own_origin(const Request& request) {
  return !request.origin || *request.origin == fmt::format("http://{}", request.host);
}

std::optional<Response> refusal(const Request& request, const HttpRoute& route,
                                const HttpApi& api) {
  if (!is_own_origin(request))
    return Response{http::Status::forbidden, "pages of other sites are not answered\n"};
  const bool any_name = api.trusted || route.answer == metrics;
  if (!any_name && !http::is_trusted_host(request.host, api.host_names))
    return Response{http::Status::misdirected,
                    "ask by an address, or by a name that metrics_hosts has\n"};
  if (request.method != "GET" && request.method != "HEAD")
    return Response{.status = http::Status::method_not_allowed,
                    .content = "only GET and HEAD\n",
                    .more = "Allow: GET, HEAD\r\n"};
  return std::nullopt;
}

Response respond(const Request& request, const HttpApi& api) {
  const auto [route, name] = find_route(request.path);
  if (route == nullptr) return {http::Status::not_found, "see /v1/openapi.json for what is here\n"};
  if (auto refused = refusal(request, *route, api)) return *std::move(refused);
  try {
    return route->answer(request, name, api);
  } catch (const std::exception& error) {
    return {http::Status::failed, fmt::format("{}\n", error.what())};
  }
}

}  // namespace

std::span<const HttpRoute> http_routes() noexcept {
  return routes;
}

std::optional<std::string> answer_http(std::string_view received, const HttpApi& api) {
  const auto parsed = http::parse(received);
  if (const auto* refused = std::get_if<Response>(&parsed)) return to_text(*refused, true);
  const auto* request = std::get_if<Request>(&parsed);
  if (request == nullptr) return std::nullopt;
  return to_text(respond(*request, api), request->method != "HEAD");
}

bool is_http(std::string_view received) noexcept {
  constexpr std::array<std::string_view, 7> methods{"GET ",  "HEAD ",    "PUT ",  "DELETE ",
                                                    "POST ", "OPTIONS ", "PATCH "};
  return std::ranges::any_of(methods, [&](auto method) { return received.starts_with(method); });
}

}  // namespace mcr
