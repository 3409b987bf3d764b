// The endpoint of `metrics`: what HttpApi has, by TCP. Each connection is answered once.
#pragma once

#include "mcr/base/address.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/request_server.hpp"

namespace mcr {

/// Control thread only.
class MetricsServer {
 public:
  using Clock = RequestServer::Clock;

  /// Listens there. Throws OsError, which names the address. One that is about to end may have an
  /// address that excludes this one (0.0.0.0 and 127.0.0.1).
  explicit MetricsServer(const Endpoint& endpoint, const MetricsServer* predecessor = nullptr);

  [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return server_.fd(); }
  void serve(const HttpApi& api);
  /// Streams have more to say.
  void resume() { server_.resume(); }
  void expire(Clock::time_point now) { server_.expire(now); }

 private:
  MetricsServer(const Endpoint& endpoint, UniqueFd listener);

  Endpoint endpoint_;
  Fd listener_;
  RequestServer server_;
};

}  // namespace mcr
