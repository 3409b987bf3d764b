// A small server on a stream socket: a client asks once, is answered once, and the server closes;
// or it answers with a stream, and adds to it until the client goes.
// The protocol is its owner's (control_socket.hpp, metrics_server.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "mcr/base/fd.hpp"

namespace mcr {

/// Control thread only. No client can make it wait: a slow one is cut off, and so is the
/// oldest when there are too many.
class RequestServer {
 public:
  using Clock = std::chrono::steady_clock;
  /// The answer to what a client has sent so far; nothing while that is no whole request. An empty
  /// text that is no stream ends the connection.
  struct Reply {
    std::string text;
    /// Not null: the reply is a stream. Called when all before is sent; gives what comes next, or
    /// "" if there is nothing now (see resume()).
    std::function<std::string()> more{};
    /// Not "": this text is sent when the stream has sent nothing for `beat_pause`, so that both
    /// sides notice when the other has gone. A client that takes nothing of such a stream for
    /// `patience` is cut off.
    std::string beat{};

    // NOLINTNEXTLINE(google-explicit-constructor): most replies are a text
    Reply(std::string whole, std::function<std::string()> next = {}, std::string sign = {})
        : text(std::move(whole)), more(std::move(next)), beat(std::move(sign)) {}
  };
  using Answer = std::function<std::optional<Reply>(std::string_view received)>;

  static constexpr std::size_t longest_request = 8192;  ///< bytes, if the owner says nothing else
  static constexpr std::chrono::seconds patience{10};  ///< with one client, until its stream begins
  static constexpr std::chrono::seconds beat_pause{15};
  static constexpr std::size_t most_streams = 16;  ///< at once; one more ends the oldest

  /// `listener`: listening and non-blocking. `most_clients` at once: an answer is kept in memory
  /// until it is taken. Throws OsError.
  /// No request may be longer than `longest` bytes, and all that are not whole yet together not
  /// longer than two such.
  RequestServer(UniqueFd listener, std::size_t most_clients, std::size_t longest = longest_request);

  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return events_; }

  /// Does what can be done now, without blocking. Throws OsError.
  void serve(const Answer& answer);
  /// While `answer` runs: the socket of the client that it is for.
  [[nodiscard]] Fd asking() const noexcept { return asking_; }

  /// Asks the streams that wait for more. Call it when there may be some.
  void resume();

  /// Cuts off clients that have been here longer than `patience`, and lets silent streams give a
  /// sign of life. Call it every few seconds.
  void expire(Clock::time_point now);

 private:
  struct Client {
    UniqueFd socket;
    std::string request{};
    std::string reply{};
    std::size_t sent = 0;
    Clock::time_point since;
    std::function<std::string()> more{};  ///< null: no stream
    bool waits = false;                   ///< a stream that has nothing to send
    std::string beat{};                   ///< of a stream: Reply::beat
    Clock::time_point moved{};            ///< of a stream: when something was sent
    Clock::time_point due{};              ///< of a stream that does not wait: when it had something
  };

  void accept_clients();
  void cut_off_oldest(bool streams, std::size_t most);
  bool advance(Client& client, const Answer& answer);
  bool read_request(Client& client);
  [[nodiscard]] bool too_long(const Client& client) const;
  bool write_reply(Client& client);
  void go_on(Client& client, Clock::time_point now);
  void watch(Fd socket, std::uint32_t events, int operation);
  void listen(bool on);

  Fd asking_;
  UniqueFd events_;
  UniqueFd listener_;
  std::size_t most_clients_;
  std::size_t longest_;
  bool listening_ = true;  ///< false while the kernel gives no clients, for want of descriptors
  std::map<int, Client> clients_;
};

}  // namespace mcr
