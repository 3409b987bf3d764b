// A small server on a stream socket: a client asks once, is answered once, and the server closes.
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

#include "mcr/base/fd.hpp"

namespace mcr {

/// Control thread only. No client can make it wait: a slow one is cut off, and so is the
/// oldest when there are too many.
class RequestServer {
 public:
  using Clock = std::chrono::steady_clock;
  /// The answer to what a client has sent so far; nothing while that is no whole request.
  using Answer = std::function<std::optional<std::string>(std::string_view received)>;

  static constexpr std::size_t longest_request = 8192;  ///< bytes
  static constexpr std::chrono::seconds patience{10};   ///< with one client, in all

  /// `listener`: listening and non-blocking. `most_clients` at once: an answer is kept in memory
  /// until it is taken. Throws OsError.
  RequestServer(UniqueFd listener, std::size_t most_clients);

  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return events_; }

  /// Does what can be done now, without blocking. Throws OsError.
  void serve(const Answer& answer);

  /// Cuts off clients that have been here longer than `patience`. Call it every few seconds.
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
  void cut_off_oldest();
  bool advance(Client& client, const Answer& answer);
  bool read_request(Client& client);
  bool write_reply(Client& client);
  void watch(Fd socket, std::uint32_t events, int operation);
  void listen(bool on);

  UniqueFd events_;
  UniqueFd listener_;
  std::size_t most_clients_;
  bool listening_ = true;  ///< false while the kernel gives no clients, for want of descriptors
  std::map<int, Client> clients_;
};

}  // namespace mcr
