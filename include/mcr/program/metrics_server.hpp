// The metrics endpoint: HTTP/1.1 (RFC 9112) as far as Prometheus needs it. GET and HEAD of /metrics
// and of /, a page that links to it, are answered, each connection once; anything else is refused.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mcr/base/address.hpp"
#include "mcr/program/request_server.hpp"

namespace mcr {

/// The answer to what a client has sent so far; nothing while its head is not complete.
/// `render` makes the metrics; it is called for a good request of them only.
[[nodiscard]] std::optional<std::string> answer_http(std::string_view received,
                                                     const std::function<std::string()>& render);

/// Control thread only.
class MetricsServer {
 public:
  using Clock = RequestServer::Clock;
  using Render = std::function<std::string()>;

  /// Listens there. Throws OsError, which names the address. One that is about to end may have an
  /// address that excludes this one (0.0.0.0 and 127.0.0.1).
  explicit MetricsServer(const Endpoint& endpoint, const MetricsServer* predecessor = nullptr);

  [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return server_.fd(); }
  void serve(const Render& render);
  void expire(Clock::time_point now) { server_.expire(now); }

 private:
  MetricsServer(const Endpoint& endpoint, UniqueFd listener);

  Endpoint endpoint_;
  Fd listener_;
  RequestServer server_;
};

}  // namespace mcr
