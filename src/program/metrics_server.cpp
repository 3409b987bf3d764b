#include "mcr/program/metrics_server.hpp"

#include <fmt/format.h>

#include <algorithm>
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

constexpr std::string_view start_page =
    "<!DOCTYPE html>\n<title>mcr</title>\n<h1>mcr " MCR_VERSION
    "</h1>\n<p>A multicast relay. <a href=\"/metrics\">Metrics</a> for Prometheus.\n";

struct Response {
  std::string_view status;
  std::string body;
  std::string_view type = "text/plain; charset=utf-8";
  std::string_view more{};  ///< header lines, each with its end
};

Response respond(std::string_view method, std::string_view target,
                 const std::function<std::string()>& render) {
  if (target != "/metrics" && target != "/")
    return {"404 Not Found", "only / and /metrics are here\n"};
  if (method != "GET" && method != "HEAD")
    return {.status = "405 Method Not Allowed",
            .body = "only GET and HEAD\n",
            .more = "Allow: GET, HEAD\r\n"};
  if (target == "/") return {"200 OK", std::string(start_page), "text/html; charset=utf-8"};
  return {"200 OK", render(), "text/plain; version=0.0.4; charset=utf-8"};
}

/// HEAD has the headers of GET and no content (RFC 9110, 9.3.2).
std::string to_text(const Response& response, bool with_body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\nContent-Type: {}\r\n{}\r\n{}",
      response.status, response.body.size(), response.type, response.more,
      with_body ? response.body : "");
}

}  // namespace

std::optional<std::string> answer_http(std::string_view received,
                                       const std::function<std::string()>& render) {
  if (received.find("\r\n\r\n") == std::string_view::npos) return std::nullopt;
  const auto line = received.substr(0, received.find("\r\n"));
  const auto method = line.substr(0, line.find(' '));
  auto target = line.substr(std::min(line.size(), method.size() + 1));
  const auto version = target.substr(std::min(target.size(), target.find(' ')));
  target = target.substr(0, target.find_first_of(" ?"));
  const auto response = version.starts_with(" HTTP/1.")
                            ? respond(method, target, render)
                            : Response{"400 Bad Request", "no HTTP/1\n"};
  return to_text(response, method != "HEAD");
}

MetricsServer::MetricsServer(const Endpoint& endpoint, const MetricsServer* predecessor)
    : MetricsServer(
          endpoint,
          listen_at(endpoint, predecessor != nullptr && predecessor->endpoint_.port == endpoint.port
                                  ? predecessor->listener_
                                  : Fd())) {}

MetricsServer::MetricsServer(const Endpoint& endpoint, UniqueFd listener)
    : endpoint_(endpoint), listener_(listener), server_(std::move(listener), most_clients) {}

void MetricsServer::serve(const Render& render) {
  server_.serve([&](std::string_view received) { return answer_http(received, render); });
}

}  // namespace mcr
