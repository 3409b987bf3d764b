#include "mcr/program/metrics_server.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

constexpr int backlog = 16;
constexpr std::size_t most_clients = 8;

bool start_listening(const Socket& socket, const SocketAddress& address) {
  return socket.bind(address) && ::listen(socket.get(), backlog) == 0;
}

/// Listens at a port that `predecessor` still has. Two sockets may have one port if both say so
/// (SO_REUSEPORT, socket(7)); they do only for as long as this takes.
bool take_over(const Socket& socket, Fd predecessor, const SocketAddress& address) {
  const auto share = [&](int on) {
    socket.try_set(SOL_SOCKET, SO_REUSEPORT, on);
    SocketOptions(predecessor).try_set(SOL_SOCKET, SO_REUSEPORT, on);
  };
  share(1);
  const bool done = start_listening(socket, address);
  const int error = errno;
  share(0);
  errno = error;
  return done;
}

/// `predecessor`: the socket that has the same port, if there is one.
UniqueFd listen_at(const Endpoint& endpoint, Fd predecessor) {
  const auto subject = fmt::format("metrics at {}", endpoint);
  const SocketAddress address(endpoint);
  Socket socket(address.generic.sa_family, SOCK_STREAM | SOCK_NONBLOCK);
  if (!socket.valid()) throw_errno("open socket for", subject);
  socket.try_set(SOL_SOCKET, SO_REUSEADDR, 1);
  const bool done = predecessor.valid() ? take_over(socket, predecessor, address)
                                        : start_listening(socket, address);
  if (!done) throw_errno("listen for", subject);
  return std::move(socket).take();
}

}  // namespace

MetricsServer::MetricsServer(const Endpoint& endpoint, const MetricsServer* predecessor)
    : MetricsServer(
          endpoint,
          listen_at(endpoint, predecessor != nullptr && predecessor->endpoint_.port == endpoint.port
                                  ? predecessor->listener_
                                  : Fd())) {}

MetricsServer::MetricsServer(const Endpoint& endpoint, UniqueFd listener)
    : endpoint_(endpoint), listener_(listener), server_(std::move(listener), most_clients) {}

void MetricsServer::serve(const HttpApi& api) {
  server_.serve([&](std::string_view received) { return answer_http(received, api); });
}

}  // namespace mcr
