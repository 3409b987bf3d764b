// The control socket (unix(7), stream): one JSON object on a line asks, one answers, then the
// server closes. It belongs to its owner and group (0660).
//   {"command":"status"}   -> the object of `mcr status --json`
//   {"command":"reload"}   -> {"ok":true,"difference":"+1 -0 ~2 =97"} or
//   {"ok":false,"errors":[...]}
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "mcr/fd.hpp"

namespace mcr {

inline constexpr std::string_view default_control_socket = "/run/mcr/mcr.sock";

/// Control thread only. No client can make it wait: a slow one is cut off, a surplus one refused.
class ControlServer {
 public:
  using Clock = std::chrono::steady_clock;
  using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

  static constexpr std::size_t most_clients = 64;
  static constexpr std::size_t longest_request = 4096;  ///< bytes
  static constexpr std::chrono::seconds patience{10};   ///< with one client, in all

  /// Listens at `path`; makes its folder if it is missing and replaces a socket that nobody
  /// answers. Throws Failure (unavailable) if a daemon answers there, Failure (os) if the path is
  /// something else than a socket, OsError.
  explicit ControlServer(std::string path);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return events_; }

  /// Does what can be done now, without blocking.
  void serve(const Handler& handler);

  /// Cuts off those that have been here too long. Call it now and then.
  void expire(Clock::time_point now);

 private:
  struct Client {
    UniqueFd socket;
    std::string request;
    std::string reply;
    std::size_t sent = 0;
    Clock::time_point since;
  };

  void accept_clients();
  bool advance(Client& client, const Handler& handler);
  bool read_request(Client& client);
  bool write_reply(Client& client);
  void watch(Fd socket, std::uint32_t events, int operation);
  void listen(bool on);

  std::string path_;
  UniqueFd events_;
  UniqueFd listener_;
  bool listening_ = true;  ///< false while there are no descriptors left for clients
  std::map<int, Client> clients_;
};

/// Asks the daemon at `path` and waits for its answer. Throws Failure (unavailable) if none
/// answers, Failure (permission) if it may not be asked.
[[nodiscard]] nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request);

}  // namespace mcr
