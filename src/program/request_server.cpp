// One epoll instance holds the listener and all clients; its descriptor is what the daemon polls.
// All sockets are non-blocking: each call does what can be done now and returns.
//
// A client is in one of two states, and each of its calls ends in one of these, or in its end:
//   asking      `reply` is empty: wait for EPOLLIN, add to `request`, try to answer it
//   answered    wait for EPOLLOUT, send the rest of `reply`, then close
// It ends when the reply is sent, the request is too long, the peer has closed or failed, its time
// is over (expire()), or it is the oldest of too many.
//
// Without free descriptors accept4(2) fails and the listener stays readable: epoll would wake us
// without end. The listener is then ignored until the next expire().
#include "mcr/program/request_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mcr/base/error.hpp"

namespace mcr {

RequestServer::RequestServer(UniqueFd listener, std::size_t most_clients)
    : events_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(std::move(listener)),
      most_clients_(most_clients) {
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
    if (clients_.size() >= most_clients_) cut_off_oldest();
    watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    const int key = socket.get();
    clients_[key] = {std::move(socket), {}, {}, 0, Clock::now()};
  }
}

void RequestServer::cut_off_oldest() {
  clients_.erase(
      std::ranges::min_element(clients_, {}, [](const auto& entry) { return entry.second.since; }));
}

/// False when the client's connection is to be closed.
bool RequestServer::advance(Client& client, const Answer& answer) {
  if (client.reply.empty()) {
    if (!read_request(client)) return false;
    auto reply = answer(client.request);
    if (!reply) return client.request.size() < longest_request;
    client.reply = std::move(*reply);
    watch(client.socket, EPOLLOUT, EPOLL_CTL_MOD);
  }
  return write_reply(client);
}

/// False when the client sends nothing more, or has failed.
bool RequestServer::read_request(Client& client) {
  std::array<char, longest_request> buffer{};
  const auto count = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  client.request.append(buffer.data(), static_cast<std::size_t>(count));
  return count != 0;
}

/// False when all is sent, or the client has failed.
bool RequestServer::write_reply(Client& client) {
  while (client.sent < client.reply.size()) {
    const auto count = ::send(client.socket.get(), client.reply.data() + client.sent,
                              client.reply.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(count);
  }
  return false;
}

void RequestServer::expire(Clock::time_point now) {
  std::erase_if(clients_, [&](const auto& entry) { return now - entry.second.since > patience; });
  if (!listening_) listen(true);
}

}  // namespace mcr
