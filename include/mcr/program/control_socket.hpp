// The control socket (unix(7), stream): one JSON object on a line asks, one answers, then the
// server closes. It belongs to its owner and group (0660).
//   {"command":"status"}   -> the object of `mcr status --json`
//   {"command":"reload"}   -> {"ok":true,"difference":"+1 -0 ~2 =97"}, or
//                             {"ok":false,"errors":[...]}
//   {"command":"capture","rule":NAME,"in":true,"out":false,"drops":false,"snap":BYTES,
//    "before":SECONDS}
//     -> a stream, for the daemon's own user and root: {"ok":true}, then blocks of a capture file
//   {"command":"events","since":ID}    (ID 0: all that are known; no "since": those to come)
//     -> a stream: {"ok":true,"last":ID}, then an object for each event after ID, on its own line
// A client that begins with a request of HTTP is answered by HttpApi instead.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/request_server.hpp"

namespace mcr {

inline constexpr std::string_view default_control_socket = "/run/mcr/mcr.sock";

/// Control thread only; no client can make it wait.
class ControlServer {
 public:
  using Clock = RequestServer::Clock;
  using Reply = RequestServer::Reply;
  using Handler = std::function<Reply(const nlohmann::json& request)>;

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

  /// While the handler runs: the user who asks (SO_PEERCRED, unix(7)). Throws OsError.
  [[nodiscard]] uid_t asking_user() const;

  /// Streams have more to say.
  void resume() { server_.resume(); }

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

/// A JSON document as a line; what is no UTF-8 in it is replaced.
[[nodiscard]] std::string line_of(const nlohmann::json& document);

/// True if there is no socket at `path`, or one that a daemon has left behind.
[[nodiscard]] bool is_abandoned(const std::string& path);

/// How long a client waits for each answer.
struct Patience {
  std::chrono::microseconds time;  ///< more than 0
  std::string_view advice{};       ///< to a person whose time has passed; "": none
};

/// Asks the daemon at `path` and waits for its answer. Throws Failure (unavailable) if none
/// answers, or if the daemon says nothing for that time, Failure (permission) if it may not be
/// asked, OsError.
[[nodiscard]] nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request,
                                        Patience patience);

/// A stream that a daemon answers with, line by line.
class DaemonStream {
 public:
  /// Asks and reads the first line, as ask_daemon() does. Throws as it does.
  DaemonStream(const std::string& path, const nlohmann::json& request, Patience patience);

  [[nodiscard]] const nlohmann::json& first() const noexcept { return first_; }
  /// Waits for the next line, for ever. Throws Failure (unavailable) when the daemon has gone.
  [[nodiscard]] nlohmann::json next();
  /// The bytes behind the first line, where the stream is no JSON: waits for some for so long;
  /// "" then, or after a signal. Throws as next().
  [[nodiscard]] std::string bytes(std::chrono::milliseconds wait);

 private:
  std::optional<std::string> read_line();
  [[nodiscard]] nlohmann::json object_in(const std::string& line) const;

  std::string path_;
  Socket socket_;
  std::string received_;
  nlohmann::json first_;
};

}  // namespace mcr
