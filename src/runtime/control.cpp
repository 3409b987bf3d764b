#include "mcr/control.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mcr/error.hpp"
#include "mcr/log.hpp"

namespace mcr {

namespace {

constexpr mode_t socket_mode = 0660;
constexpr int backlog = 64;
constexpr time_t client_timeout_s = 30;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw Failure(ExitCode::os, fmt::format("control socket {}: the path must have 1 to {} bytes",
                                            path, sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd new_socket(int flags) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket.valid()) throw_errno("open control socket");
  return socket;
}

/// 0, or why not.
int connect_to(Fd socket, const std::string& path) {
  const auto address = address_of(path);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
             ? 0
             : errno;
}

void make_way(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode))
    throw Failure(ExitCode::os, fmt::format("control socket {}: exists and is not a socket", path));
  const auto probe = new_socket(SOCK_NONBLOCK);
  const int error = connect_to(probe, path);
  if (error == 0 || error == EAGAIN)
    throw Failure(ExitCode::unavailable,
                  fmt::format("control socket {}: another daemon answers there", path));
  if (error != ECONNREFUSED) throw OsError(error, "probe control socket", path);
  ::unlink(path.c_str());
}

UniqueFd listen_at(const std::string& path) {
  const auto address = address_of(path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  make_way(path);
  auto socket = new_socket(SOCK_NONBLOCK);
  const auto mask = ::umask(0777 & ~socket_mode);
  const int result =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(mask);
  if (result != 0) throw OsError(error, "bind control socket", path);
  if (::listen(socket.get(), backlog) != 0) throw_errno("listen on control socket", path);
  return socket;
}

nlohmann::json answer(const std::string& line, const ControlServer::Handler& handler) {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (!request.is_object()) return {{"ok", false}, {"error", "the request is not a JSON object"}};
  return handler(request);
}

}  // namespace

ControlServer::ControlServer(std::string path)
    : path_(std::move(path)), events_(::epoll_create1(EPOLL_CLOEXEC)), listener_(listen_at(path_)) {
  if (!events_.valid()) throw_errno("create epoll", "of the control socket");
  watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
}

ControlServer::~ControlServer() {
  ::unlink(path_.c_str());
}

void ControlServer::watch(Fd socket, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket.get();
  if (::epoll_ctl(events_.get(), operation, socket.get(), &event) != 0)
    throw_errno("watch control client");
}

void ControlServer::listen(bool on) {
  watch(listener_, on ? static_cast<std::uint32_t>(EPOLLIN) : 0U, EPOLL_CTL_MOD);
  listening_ = on;
}

void ControlServer::serve(const Handler& handler) {
  std::array<epoll_event, 32> events{};
  const int count = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int ready = events[static_cast<std::size_t>(i)].data.fd;
    if (ready == listener_.get()) {
      accept_clients();
    } else if (const auto client = clients_.find(ready);
               client != clients_.end() && !advance(client->second, handler)) {
      clients_.erase(client);
    }
  }
}

void ControlServer::accept_clients() {
  for (;;) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EMFILE || errno == ENFILE) listen(false);
      return;
    }
    if (clients_.size() >= most_clients) continue;
    watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    const int key = socket.get();
    clients_[key] = {std::move(socket), {}, {}, 0, Clock::now()};
  }
}

/// False when the client is done with, or not worth more.
bool ControlServer::advance(Client& client, const Handler& handler) {
  if (client.reply.empty()) {
    if (!read_request(client)) return false;
    const auto end = client.request.find('\n');
    if (end == std::string::npos) return client.request.size() < longest_request;
    constexpr auto replace = nlohmann::json::error_handler_t::replace;
    client.reply =
        answer(client.request.substr(0, end), handler).dump(-1, ' ', false, replace) + '\n';
    watch(client.socket, EPOLLOUT, EPOLL_CTL_MOD);
  }
  return write_reply(client);
}

bool ControlServer::read_request(Client& client) {
  std::array<char, longest_request> buffer{};
  const auto count = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  client.request.append(buffer.data(), static_cast<std::size_t>(count));
  return count != 0;
}

bool ControlServer::write_reply(Client& client) {
  while (client.sent < client.reply.size()) {
    const auto count = ::send(client.socket.get(), client.reply.data() + client.sent,
                              client.reply.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(count);
  }
  return false;
}

void ControlServer::expire(Clock::time_point now) {
  std::erase_if(clients_, [&](const auto& entry) { return now - entry.second.since > patience; });
  if (!listening_) listen(true);
}

nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request) {
  const auto socket = new_socket(0);
  const timeval timeout{client_timeout_s, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (const int error = connect_to(socket, path); error != 0)
    throw Failure(error == EACCES ? ExitCode::permission : ExitCode::unavailable,
                  fmt::format("no daemon answers at {}: {}", path, errno_text(error)));
  const auto line = request.dump() + '\n';
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size()))
    throw_errno("ask the daemon", "at " + path);
  std::string reply;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("hear from the daemon", "at " + path);
    if (count == 0) break;
    reply.append(buffer.data(), static_cast<std::size_t>(count));
  }
  auto answer = nlohmann::json::parse(reply, nullptr, false);
  if (answer.is_discarded())
    throw Failure(ExitCode::unavailable,
                  fmt::format("the daemon at {} broke off its answer", path));
  return answer;
}

}  // namespace mcr
