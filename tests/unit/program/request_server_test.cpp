// The server of both control socket and metrics, against clients that are slow, greedy, too many or
// gone: none of them makes it wait, and none of them stays.
#include "mcr/program/request_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace {

using mcr::Fd;
using mcr::RequestServer;
using mcr::UniqueFd;
using namespace std::chrono_literals;

constexpr std::size_t most_clients = 4;

/// An abstract address (unix(7)): the kernel chooses it, and no file remains.
struct Address {
  sockaddr_un name{};
  socklen_t length = sizeof(sa_family_t);

  [[nodiscard]] sockaddr* generic() { return reinterpret_cast<sockaddr*>(&name); }
};

UniqueFd listen_at(Address& address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  address.name.sun_family = AF_UNIX;
  REQUIRE(::bind(socket.get(), address.generic(), address.length) == 0);
  address.length = sizeof address.name;
  REQUIRE(::getsockname(socket.get(), address.generic(), &address.length) == 0);
  REQUIRE(::listen(socket.get(), 64) == 0);
  return socket;
}

/// The answer to a line is what `reply` says.
struct Server {
  Address address;
  std::string reply = "pong\n";
  std::function<std::string()> more{};  ///< null: no stream
  std::string beat{};
  std::size_t asked = 0;
  RequestServer server{listen_at(address), most_clients};

  [[nodiscard]] UniqueFd connect() {
    UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), address.generic(), address.length) == 0);
    return client;
  }
  void serve() {
    server.serve([this](std::string_view received) -> std::optional<RequestServer::Reply> {
      if (!received.ends_with('\n')) return std::nullopt;
      ++asked;
      return RequestServer::Reply(reply, more, beat);
    });
  }
  /// Until there is nothing to do any more.
  void serve_all() {
    pollfd wait{server.fd().get(), POLLIN, 0};
    for (int rounds = 0; rounds < 100 && ::poll(&wait, 1, 0) == 1; ++rounds)
      serve();
  }
};

void send(Fd client, std::string_view text) {
  REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

enum class End { open, closed, reset };

struct Received {
  std::string text;
  End end = End::open;
};

/// Reads the bytes that are there now.
Received receive(Fd client) {
  Received received;
  std::vector<char> buffer(65536);
  for (;;) {
    const auto count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      received.text.append(buffer.data(), static_cast<std::size_t>(count));
    } else {
      if (count == 0) received.end = End::closed;
      if (count < 0 && errno == ECONNRESET) received.end = End::reset;
      return received;
    }
  }
}

}  // namespace

TEST_CASE("request server: a client asks, is answered, and the server closes") {
  Server server;
  const auto client = server.connect();
  send(client, "ping\n");
  server.serve_all();
  const auto received = receive(client);
  CHECK(received.text == "pong\n");
  CHECK(received.end == End::closed);
}

TEST_CASE("request server: a request may come in pieces") {
  Server server;
  const auto client = server.connect();
  for (const auto* piece : {"p", "in", "g"}) {
    send(client, piece);
    server.serve_all();
    CHECK(receive(client).text.empty());
  }
  send(client, "\n");
  server.serve_all();
  CHECK(receive(client).text == "pong\n");
  CHECK(server.asked == 1);
}

TEST_CASE("request server: a request without end is cut off at its limit") {
  Server server;
  const auto client = server.connect();
  send(client, std::string(RequestServer::longest_request - 1, 'x'));
  server.serve_all();
  CHECK(receive(client).end == End::open);
  send(client, "x");
  server.serve_all();
  CHECK(receive(client).end != End::open);
  CHECK(server.asked == 0);
}

TEST_CASE("request server: an answer that a client reads slowly is sent piece by piece") {
  Server server;
  server.reply = std::string(std::size_t{4} << 20U, 'r');
  const auto slow = server.connect();
  send(slow, "ping\n");
  server.serve_all();

  const auto other = server.connect();  // meanwhile others are served
  send(other, "ping\n");
  server.serve_all();
  CHECK_FALSE(receive(other).text.empty());

  Received received;
  for (int rounds = 0; rounds < 1000 && received.end == End::open; ++rounds) {
    const auto more = receive(slow);
    received.text += more.text;
    received.end = more.end;
    server.serve_all();
  }
  CHECK(received.text == server.reply);
  CHECK(received.end == End::closed);
}

TEST_CASE("request server: a client that is here too long is cut off") {
  Server server;
  server.reply = std::string(std::size_t{4} << 20U, 'r');
  const auto mute = server.connect();
  const auto deaf = server.connect();
  send(deaf, "ping\n");
  server.serve_all();
  const auto now = RequestServer::Clock::now();
  server.server.expire(now + RequestServer::patience / 2);
  CHECK(receive(mute).end == End::open);
  server.server.expire(now + RequestServer::patience + 1s);
  CHECK(receive(mute).end == End::closed);
  const auto received = receive(deaf);
  CHECK(received.text.size() < server.reply.size());
  CHECK(received.end != End::open);
}

TEST_CASE("request server: with too many clients the oldest makes room") {
  Server server;
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < most_clients; ++i) {
    clients.push_back(server.connect());
    server.serve_all();
  }
  clients.push_back(server.connect());
  send(clients.back(), "ping\n");
  server.serve_all();
  CHECK(receive(clients.back()).text == "pong\n");
  CHECK(receive(clients.front()).end == End::closed);
  for (std::size_t i = 1; i < most_clients; ++i)
    CHECK(receive(clients[i]).end == End::open);
}

TEST_CASE("request server: a crowd that arrives at once is served in turn") {
  Server server;
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < 5 * most_clients; ++i) {
    clients.push_back(server.connect());
    send(clients.back(), "ping\n");
  }
  server.serve_all();
  for (const auto& client : clients)
    CHECK(receive(client).text == "pong\n");
}

TEST_CASE("request server: who has closed his sending side after the request is answered") {
  Server server;
  const auto client = server.connect();
  send(client, "ping\n");
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  server.serve_all();
  CHECK(receive(client).text == "pong\n");
}

TEST_CASE("request server: who closes it before the request is complete is done with") {
  Server server;
  const auto client = server.connect();
  send(client, "pin");
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  server.serve_all();
  const auto received = receive(client);
  CHECK(received.text.empty());
  CHECK(received.end == End::closed);
}

TEST_CASE("request server: a client that is gone before its answer harms nobody") {
  Server server;
  server.reply = std::string(std::size_t{4} << 20U, 'r');
  {
    const auto client = server.connect();
    send(client, "ping\n");
  }
  server.serve_all();
  server.reply = "pong\n";
  const auto client = server.connect();
  send(client, "ping\n");
  server.serve_all();
  CHECK(receive(client).text == "pong\n");
}

TEST_CASE("request server: a stream goes on as there is more, and outlasts the patience") {
  Server server;
  std::string waiting = "one\n";
  server.more = [&] { return std::exchange(waiting, ""); };
  const auto client = server.connect();
  send(client, "ping\n");
  server.serve_all();
  CHECK(receive(client).text == "pong\none\n");
  server.server.expire(RequestServer::Clock::now() + 2 * RequestServer::patience);
  waiting = "two\n";
  server.serve_all();
  CHECK(receive(client).text.empty());
  server.server.resume();
  server.serve_all();
  const auto received = receive(client);
  CHECK(received.text == "two\n");
  CHECK(received.end == End::open);
  server.server.resume();  // with nothing to say
  server.serve_all();
  CHECK(receive(client).end == End::open);
}

TEST_CASE("request server: who does not read a stream is asked for no more") {
  Server server;
  std::size_t pieces = 0;
  server.more = [&] {
    ++pieces;
    return std::string(std::size_t{1} << 20U, 'm');
  };
  const auto deaf = server.connect();
  send(deaf, "ping\n");
  server.serve_all();
  const auto filled = pieces;
  CHECK(filled < 8);
  for (int i = 0; i < 10; ++i) {
    server.server.resume();
    server.serve_all();
  }
  CHECK(pieces == filled);
}

TEST_CASE("request server: the end of a stream's client is noticed, and nothing else of it") {
  Server server;
  bool alive = true;
  server.more = [guard = std::shared_ptr<bool>(&alive, [](bool* gone) { *gone = false; })] {
    return std::string();
  };
  auto client = server.connect();
  send(client, "ping\n");
  server.serve_all();
  server.more = nullptr;
  send(client, "what?\n");
  server.serve_all();
  CHECK(alive);
  CHECK(server.asked == 1);
  client.reset();
  server.serve_all();
  CHECK_FALSE(alive);
}

TEST_CASE("request server: too many streams end the oldest of them, and no other client") {
  Server server;
  server.more = [] { return std::string(); };
  const auto asking = server.connect();
  server.serve_all();
  std::vector<UniqueFd> streams;
  for (std::size_t i = 0; i < RequestServer::most_streams + 1; ++i) {
    streams.push_back(server.connect());
    send(streams.back(), "ping\n");
    server.serve_all();
  }
  CHECK(receive(streams[0]).end == End::closed);
  for (std::size_t i = 1; i < streams.size(); ++i)
    CHECK(receive(streams[i]).end == End::open);
  server.more = nullptr;
  send(asking, "ping\n");
  server.serve_all();
  CHECK(receive(asking).text == "pong\n");
}

TEST_CASE("request server: a silent stream gives a sign of life, if it has one") {
  for (const std::string beat : {":\n\n", ""}) {
    Server server;
    server.more = [] { return std::string(); };
    server.beat = beat;
    const auto client = server.connect();
    send(client, "ping\n");
    server.serve_all();
    CHECK(receive(client).text == "pong\n");
    const auto now = RequestServer::Clock::now();
    server.server.expire(now + RequestServer::beat_pause / 2);
    server.serve_all();
    CHECK(receive(client).text.empty());
    server.server.expire(now + RequestServer::beat_pause + 1s);
    server.serve_all();
    const auto received = receive(client);
    CHECK(received.text == beat);
    CHECK(received.end == End::open);
  }
}

TEST_CASE("request server: who takes nothing of a stream with a sign of life is cut off") {
  for (const std::string beat : {":\n\n", ""}) {
    Server server;
    server.more = [] { return std::string(std::size_t{1} << 20U, 'm'); };
    server.beat = beat;
    const auto deaf = server.connect();
    send(deaf, "ping\n");
    server.serve_all();
    const auto now = RequestServer::Clock::now();
    server.server.expire(now + RequestServer::patience / 2);
    CHECK(::send(deaf.get(), "x", 1, MSG_NOSIGNAL) == 1);
    server.server.expire(now + RequestServer::patience + 1s);
    CHECK((::send(deaf.get(), "x", 1, MSG_NOSIGNAL) == 1) == beat.empty());
  }
}

TEST_CASE("request server: a stream that waited long is not cut off as it goes on") {
  Server server;
  std::string waiting;
  server.more = [&] { return std::exchange(waiting, ""); };
  server.beat = ":\n\n";
  const auto client = server.connect();
  send(client, "ping\n");
  server.serve_all();
  waiting = "one\n";
  server.server.resume();
  server.server.expire(RequestServer::Clock::now() + RequestServer::patience / 2);
  server.serve_all();
  CHECK(receive(client).text == "pong\none\n");
}
