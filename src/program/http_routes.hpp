// The table of what HttpApi has, for those who answer by it and for the description.
#pragma once

#include <array>
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

struct HttpRoute {
  std::string_view path;  ///< "{name}": what follows, with its slashes
  std::string_view summary;
  std::string_view type;  ///< of the answer
  http::Response (*answer)(const http::Request& request, std::string_view name, const HttpApi& api);
  std::array<HttpParameter, 3> parameters{};
};

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view name_mark = "{name}";

[[nodiscard]] std::span<const HttpRoute> http_routes() noexcept;

}  // namespace mcr
