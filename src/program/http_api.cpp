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
#include "mcr/base/error.hpp"
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
  return {.content = status::answer_request(api.status(), asked) + '\n', .type = json_type};
}

Response overview(const Request& request, std::string_view /*name*/, const HttpApi& api) {
  const auto known = http::query_value(request.query, "known").value_or("");
  std::uint64_t generation = 0;
  const auto [end, error] = std::from_chars(known.data(), known.data() + known.size(), generation);
  return as_json(status::overview(api.status(),
                                  error == std::errc() ? status::Count(generation) : std::nullopt));
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

constexpr HttpOutcome changed_meanwhile{http::Status::precondition_failed,
                                        "If-Match or If-None-Match do not hold"};
constexpr HttpOutcome stands_elsewhere{http::Status::conflict,
                                       "The rule stands in a file for people, or elsewhere"};

constexpr std::array<HttpOutcome, 6> no_id{{{http::Status::bad_request, "`since` is no id"}}};

constexpr std::array<HttpRoute, 11> routes{{
    {"GET", "/", "The page for people", html_type, page},
    {"GET", "/metrics", "Metrics for Prometheus (text format 0.0.4)", text_type, metrics},
    {"GET",
     "/v1/status",
     "What `mcr status --json` prints",
     json_type,
     whole_status,
     {{{"state", "Only rules in this state"},
       {"pattern", "Only rules whose name matches, with * and ?"},
       {"brief", "true: a digest instead of more than 40 rules"}}},
     {{{http::Status::bad_request, "There is no such state"}}}},
    {"GET",
     "/v1/overview",
     "What the page shows of all rules, as columns",
     json_type,
     overview,
     {{{"known", "The generation whose texts the client has: they are left out"}}}},
    {"GET",
     "/v1/rules/{name}",
     "One rule, with what is to be said and done about it; on the control socket with its "
     "definition, whose version is the ETag",
     json_type,
     get_rule,
     {},
     {{{http::Status::not_modified, "If-None-Match has the ETag of the definition"},
       {http::Status::not_found, "There is no such rule"}}}},
    {"PUT",
     "/v1/rules/{name}",
     "Make the rule what the content says, as `mcr rule` does: add it, or replace it",
     json_type,
     put_rule,
     {{{"runtime", "true: until the next boot only"},
       {"file", "What the content is called in messages about mistakes"}}},
     {{{http::Status::created, "The rule is new"},
       stands_elsewhere,
       changed_meanwhile,
       {http::Status::unprocessable, "The check found mistakes; nothing has changed"}}}},
    {"DELETE",
     "/v1/rules/{name}",
     "Remove the rule",
     json_type,
     delete_rule,
     {},
     {{{http::Status::no_content, "The rule is gone"},
       {http::Status::not_found, "There is no such rule"},
       stands_elsewhere,
       changed_meanwhile}}},
    {"GET",
     "/v1/events",
     "What happens, as it happens: server-sent events whose data are those of `mcr events --json`",
     event_stream_type,
     stream_events,
     {{{"since",
        "After the event with this id; 0: all that are known; without it: what comes. "
        "Last-Event-ID goes before it"}}},
     no_id},
    {"GET",
     "/v1/recent-events",
     "The last 200 events, for who does not read a stream",
     json_type,
     recent_events,
     {{{"since", "The first 200 after the event with this id, which is the last one seen"}}},
     no_id},
    {"GET", "/v1/drop-reasons", "What each drop reason means, and what to do", json_type,
     drop_reasons},
    {"GET", "/v1/openapi.json", "This description", json_type, description},
}};

/// The name that the route's path ends in; "" where it has none. Nothing: the
/// path is another one.
std::optional<std::string_view> name_in(std::string_view path, const HttpRoute& route) {
  const auto front = route.path.substr(0, route.path.find(name_mark));
  const bool named = front.size() != route.path.size();
  if (named && path.starts_with(front) && path.size() > front.size())
    return path.substr(front.size());
  return !named && path == route.path ? std::optional<std::string_view>("") : std::nullopt;
}

struct Found {
  const HttpRoute* route = nullptr;  ///< null: no route has the method
  std::string_view name;
  std::string methods;  ///< that the path has; "": there is no such path
};

/// A client that may not write finds no route that writes.
Found find_route(const Request& request, bool may_write) {
  const auto method = request.method == "HEAD" ? "GET" : request.method;
  Found found;
  for (const auto& route : routes) {
    const auto name = name_in(request.path, route);
    if (!name || (route.writes() && !may_write)) continue;
    found.methods += found.methods.empty() ? "" : ", ";
    found.methods += route.method == "GET" ? "GET, HEAD" : route.method;
    found.name = *name;
    if (route.method == method) found.route = &route;
  }
  return found;
}

bool is_own_origin(const Request& request) {
  return !request.origin || *request.origin == fmt::format("http://{}", request.host);
}

std::optional<Response> refusal(const Request& request, const Found& found, const HttpApi& api) {
  if (found.methods.empty())
    return Response{http::Status::not_found, "see /v1/openapi.json for what is here\n"};
  if (!is_own_origin(request))
    return Response{http::Status::forbidden, "pages of other sites are not answered\n"};
  const bool any_name = api.trusted || (found.route != nullptr && found.route->answer == metrics);
  if (!any_name && !http::is_trusted_host(request.host, api.host_names))
    return Response{http::Status::misdirected,
                    "ask by an address, or by a name that metrics_hosts has\n"};
  if (found.route != nullptr) return std::nullopt;
  return Response{.status = http::Status::method_not_allowed,
                  .content = fmt::format("only {}\n", found.methods),
                  .more = fmt::format("Allow: {}\r\n", found.methods)};
}

Response respond(const Request& request, const HttpApi& api) {
  const auto found = find_route(request, api.rule != nullptr);
  if (auto refused = refusal(request, found, api)) return *std::move(refused);
  try {
    return found.route->answer(request, found.name, api);
  } catch (const Failure& failure) {
    const bool asked_wrongly = failure.exit_code() == ExitCode::usage;
    return {asked_wrongly ? http::Status::bad_request : http::Status::failed,
            fmt::format("{}\n", failure.what())};
  } catch (const std::exception& error) {
    return {http::Status::failed, fmt::format("{}\n", error.what())};
  }
}

}  // namespace

std::span<const HttpRoute> http_routes() noexcept {
  return routes;
}

Response as_json(const json& document, http::Status status) {
  constexpr auto replace = json::error_handler_t::replace;
  return {.status = status,
          .content = document.dump(-1, ' ', false, replace) + '\n',
          .type = json_type};
}

std::optional<RequestServer::Reply> answer_http(std::string_view received, const HttpApi& api) {
  constexpr std::string_view comment = ":\n\n";  // tells a stream's client nothing
  const auto parsed = http::parse(received);
  if (const auto* refused = std::get_if<Response>(&parsed))
    return RequestServer::Reply(to_text(*refused, true));
  const auto* request = std::get_if<Request>(&parsed);
  if (request == nullptr) return std::nullopt;
  auto response = respond(*request, api);
  const bool whole = request->method != "HEAD";
  auto text = to_text(response, whole);
  if (!whole || response.stream == nullptr) return RequestServer::Reply(std::move(text));
  return RequestServer::Reply(std::move(text), std::move(response.stream), std::string(comment));
}

bool is_http(std::string_view received) noexcept {
  constexpr std::array<std::string_view, 7> methods{"GET ",  "HEAD ",    "PUT ",  "DELETE ",
                                                    "POST ", "OPTIONS ", "PATCH "};
  return std::ranges::any_of(methods, [&](auto method) { return received.starts_with(method); });
}

}  // namespace mcr
