// The control socket (unix(7), stream): one JSON object on a line asks, one answers, then the
// server closes. It belongs to its owner and group (0660).
//   {"command":"status"}   -> the object of `mcr status --json`
//   {"command":"reload"}   -> {"ok":true,"difference":"+1 -0 ~2 =97"} or
//   {"ok":false,"errors":[...]}
// A client that begins with a request of HTTP is answered by HttpApi instead.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "mcr/base/fd.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/request_server.hpp"

namespace mcr {

inline constexpr std::string_view default_control_socket = "/run/mcr/mcr.sock";

/// Control thread only; no client can make it wait.
class ControlServer {
 public:
  using Clock = RequestServer::Clock;
  using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

  /// Listens at `path`; makes its folder if it is missing and replaces a socket that nobody
  /// answers. Throws Failure (unavailable) if a daemon answers there, Failure (os) if the path is
  /// something else than a socket, OsError.
  explicit ControlServer(std::string path);
  /// Removes the socket's name before it closes the socket: by then it may be another daemon's.
  ~ControlServer() { name_.remove(); }
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return server_.fd(); }

  /// Does what can be done now, without blocking.
  void serve(const Handler& handler, const HttpApi& api);

  /// Cuts off clients that have been here too long. Call it every few seconds.
  void expire(Clock::time_point now) { server_.expire(now); }

 private:
  /// The socket's name in the file system.
  struct Name {
    std::string path;
    bool bound = false;
    void remove() noexcept;
    ~Name() { remove(); }
  };

  static UniqueFd listen_at(Name& name);

  Name name_;
  RequestServer server_;
};

/// Asks the daemon at `path` and waits for its answer. Throws Failure (unavailable) if none
/// answers, or if the daemon says nothing for `patience` (more than 0), Failure (permission) if it
/// may not be asked, OsError.
[[nodiscard]] nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request,
                                        std::chrono::microseconds patience);

}  // namespace mcr
