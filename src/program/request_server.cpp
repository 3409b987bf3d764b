// One epoll instance holds the listener and all clients; its descriptor is what the daemon polls.
// All sockets are non-blocking: each call does what can be done now and returns.
//
// A client is in one of three states, and each of its calls ends in one of these, or in its end:
//   asking      `reply` is empty: wait for EPOLLIN, add to `request`, try to answer it
//   answered    wait for EPOLLOUT, send the rest of `reply`, then close
//   waiting     a stream that has sent all there is: wait for resume(); what it sends is not read
// It ends when the reply is sent and is no stream, the request is too long, the peer has closed or
// failed, its time is over (expire(); a stream's, if it has a sign of life, while it takes
// nothing), or it is the oldest of too many, streams or others.
//
// Without free descriptors accept4(2) fails and the listener stays readable: epoll would wake us
// without end. The listener is then ignored until the next expire().
#include "mcr/program/request_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

RequestServer::RequestServer(UniqueFd listener, std::size_t most_clients, std::size_t longest)
    : events_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(std::move(listener)),
      most_clients_(most_clients),
      longest_(longest) {
  if (!events_.valid()) throw_errno("create epoll", "for clients");
  watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
}

void RequestServer::watch(Fd socket, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket.get();
  if (::epoll_ctl(events_.get(), operation, socket.get(), &event) != 0)
    throw_errno("watch for clients");
}

void RequestServer::listen(bool on) {
  watch(listener_, on ? static_cast<std::uint32_t>(EPOLLIN) : 0U, EPOLL_CTL_MOD);
  listening_ = on;
}

void RequestServer::serve(const Answer& answer) {
  std::array<epoll_event, 32> events{};
  const int count = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int ready = events[static_cast<std::size_t>(i)].data.fd;
    if (ready == listener_.get()) {
      accept_clients();
    } else if (const auto client = clients_.find(ready);
               client != clients_.end() && !advance(client->second, answer)) {
      clients_.erase(client);
    }
  }
}

/// Accepts at most half of what fits at once: a client is heard before newer ones can cut it off.
void RequestServer::accept_clients() {
  for (std::size_t round = (most_clients_ + 1) / 2; round != 0; --round) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      // Other errors are ours, for instance EMFILE, and would come back at once.
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) listen(false);
      return;
    }
    cut_off_oldest(false, most_clients_);
    watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    const int key = socket.get();
    clients_[key] = {.socket = std::move(socket), .since = Clock::now()};
  }
}

/// Makes room for one more, among the streams or among the others.
void RequestServer::cut_off_oldest(bool streams, std::size_t most) {
  auto oldest = clients_.end();
  std::size_t count = 0;
  for (auto client = clients_.begin(); client != clients_.end(); ++client) {
    if ((client->second.more != nullptr) != streams) continue;
    ++count;
    if (oldest == clients_.end() || client->second.since < oldest->second.since) oldest = client;
  }
  if (count >= most) clients_.erase(oldest);
}

/// False when the client's connection is to be closed.
bool RequestServer::advance(Client& client, const Answer& answer) {
  if (client.waits) return false;  // it hung up: nothing else is watched for
  if (client.reply.empty() && client.more == nullptr) {
    if (!read_request(client)) return false;
    asking_ = client.socket;
    auto reply = answer(client.request);
    if (!reply) return !too_long(client);
    client.request = {};
    if (reply->more != nullptr) cut_off_oldest(true, most_streams);
    client.reply = std::move(reply->text);
    client.more = std::move(reply->more);
    client.beat = std::move(reply->beat);
    client.moved = client.due = Clock::now();
    watch(client.socket, EPOLLOUT, EPOLL_CTL_MOD);
  }
  return write_reply(client);
}

/// False when the client sends nothing more, or has failed.
bool RequestServer::read_request(Client& client) {
  constexpr std::size_t piece = 32768;
  auto& request = client.request;
  const auto had = request.size();
  request.resize(had + std::min(piece, longest_));
  const auto count = ::recv(client.socket.get(), request.data() + had, request.size() - had, 0);
  const int error = errno;
  request.resize(had + (count < 0 ? 0 : static_cast<std::size_t>(count)));
  return count > 0 || (count < 0 && (error == EAGAIN || error == EINTR));
}

bool RequestServer::too_long(const Client& client) const {
  std::size_t all = 0;
  for (const auto& [socket, other] : clients_)
    all += other.request.size();
  return client.request.size() >= longest_ ||
         all > 2 * std::max(longest_, most_clients_ * longest_request);
}

/// False when all is sent, or the client has failed.
bool RequestServer::write_reply(Client& client) {
  do {
    while (client.sent < client.reply.size()) {
      const auto count = ::send(client.socket.get(), client.reply.data() + client.sent,
                                client.reply.size() - client.sent, MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      client.sent += static_cast<std::size_t>(count);
      client.moved = Clock::now();
    }
    if (client.more == nullptr) return false;
    client.reply = client.more();
    client.sent = 0;
    client.due = client.moved;
  } while (!client.reply.empty());
  client.waits = true;
  watch(client.socket, 0, EPOLL_CTL_MOD);
  return true;
}

void RequestServer::go_on(Client& client, Clock::time_point now) {
  client.waits = false;
  client.due = now;
  watch(client.socket, EPOLLOUT, EPOLL_CTL_MOD);
}

void RequestServer::resume() {
  const auto now = Clock::now();
  for (auto& [socket, client] : clients_)
    if (client.waits) go_on(client, now);
}

void RequestServer::expire(Clock::time_point now) {
  std::erase_if(clients_, [&](const auto& entry) {
    const auto& client = entry.second;
    if (client.more == nullptr) return now - client.since > patience;
    return !client.beat.empty() && !client.waits &&
           now - std::max(client.due, client.moved) > patience;
  });
  for (auto& [socket, client] : clients_) {
    if (!client.waits || client.beat.empty() || now - client.moved <= beat_pause) continue;
    client.reply = client.beat;
    client.sent = 0;
    go_on(client, now);
  }
  if (!listening_) listen(true);
}

}  // namespace mcr
