// MCR tells by HTTP, a path for each thing, the same on the TCP listener and on the control socket.
// On the control socket rules can be changed, too. The paths stand in one table, from which
// requests are answered and the OpenAPI document is made.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mcr/control/events.hpp"
#include "mcr/program/request_server.hpp"

namespace mcr {

struct Status;

/// Gives a request what its answer is made of, and says how far its client is trusted.
struct HttpApi {
  std::function<const Status&()> status{};  ///< of now, or of a moment ago
  std::function<std::string()> metrics{};   ///< for Prometheus
  const EventRing* events = nullptr;        ///< outlives the answers
  /// Answers a request about one rule (rule_requests.hpp). Null: this client may only read.
  std::function<nlohmann::json(const nlohmann::json& request)> rule{};
  std::span<const std::string> host_names{};  ///< see is_trusted_host()
  /// The client is on this host and has the rights to the control socket: no browser, whose user
  /// would have to be protected from other sites' pages.
  bool trusted = false;
};

/// The answer to what a client has sent so far; nothing while its request is not complete.
[[nodiscard]] std::optional<RequestServer::Reply> answer_http(std::string_view received,
                                                              const HttpApi& api);

/// True if `received` begins as a request of HTTP does.
[[nodiscard]] bool is_http(std::string_view received) noexcept;

/// OpenAPI 3.1, as JSON. What the answers look like is read off the answers themselves.
[[nodiscard]] const std::string& openapi();

}  // namespace mcr
