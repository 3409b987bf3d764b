// The table of what HttpApi has, for those who answer by it and for the description.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "mcr/program/http.hpp"
#include "mcr/program/http_api.hpp"

namespace mcr {

/// A key of the query.
struct HttpParameter {
  std::string_view name;  ///< "": there is none
  std::string_view meaning;
};

/// An answer that some requests get.
struct HttpOutcome {
  http::Status status{};
  std::string_view meaning{};  ///< "": there is none
};

struct HttpRoute {
  std::string_view method;  ///< GET (with it goes HEAD), PUT, DELETE
  std::string_view path;    ///< "{name}": what follows, with its slashes
  std::string_view summary;
  std::string_view type;  ///< of the answer
  http::Response (*answer)(const http::Request& request, std::string_view name, const HttpApi& api);
  std::array<HttpParameter, 3> parameters{};
  std::array<HttpOutcome, 6> outcomes{};  ///< beside 200, and what any request may get

  /// Only for clients that may change something.
  [[nodiscard]] constexpr bool writes() const noexcept { return method != "GET"; }
};

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view event_stream_type = "text/event-stream";
inline constexpr std::string_view name_mark = "{name}";

[[nodiscard]] std::span<const HttpRoute> http_routes() noexcept;

// In http_rules.cpp: a rule as it runs, with the text of its file; a rule put and removed.
[[nodiscard]] http::Response get_rule(const http::Request& request, std::string_view name,
                                      const HttpApi& api);
[[nodiscard]] http::Response put_rule(const http::Request& request, std::string_view name,
                                      const HttpApi& api);
[[nodiscard]] http::Response delete_rule(const http::Request& request, std::string_view name,
                                         const HttpApi& api);

// In http_events.cpp: what happens, as it happens; and what happened last.
[[nodiscard]] http::Response stream_events(const http::Request& request, std::string_view name,
                                           const HttpApi& api);
[[nodiscard]] http::Response recent_events(const http::Request& request, std::string_view name,
                                           const HttpApi& api);

/// A document as an answer; what is no UTF-8 in it is replaced.
[[nodiscard]] http::Response as_json(const nlohmann::json& document,
                                     http::Status status = http::Status::ok);

}  // namespace mcr
