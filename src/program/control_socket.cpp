// The socket's name in the file system is the lock: a daemon that finds a living one there gives
// up, and replaces a name that nobody answers. Its mode is right from the start, since bind(2)
// makes it under a umask. A client sends one line, and waits no longer than it was told.
#include "mcr/program/control_socket.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/program/request_json.hpp"

namespace mcr {

namespace {

constexpr mode_t socket_mode = 0660;
constexpr int backlog = 64;
constexpr std::size_t most_clients = 64;
/// A file of rules as a JSON string.
constexpr std::size_t longest_request = limits::config_bytes + limits::config_bytes / 4;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw Failure(ExitCode::os, fmt::format("control socket {}: the path must have 1 to {} bytes",
                                            path, sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Socket new_socket(int flags) {
  Socket socket(AF_UNIX, SOCK_STREAM | flags);
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

/// Throws where another daemon listens. The socket has its mode from the start.
void bind_to(const Socket& socket, const std::string& path) {
  const auto address = address_of(path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  make_way(path);
  const auto mask = ::umask(0777 & ~socket_mode);
  const bool bound = socket.bind(address);
  const int error = errno;
  ::umask(mask);
  if (!bound) throw OsError(error, "bind control socket", path);
}

/// With each call, connect(2) included; EAGAIN says that it has passed.
void set_patience(const Socket& socket, std::chrono::microseconds patience) {
  const timeval timeout{patience.count() / 1'000'000, patience.count() % 1'000'000};
  socket.set(SOL_SOCKET, SO_RCVTIMEO, timeout, "set", "SO_RCVTIMEO");
  socket.set(SOL_SOCKET, SO_SNDTIMEO, timeout, "set", "SO_SNDTIMEO");
}

Failure no_whole_answer(const std::string& path) {
  return {ExitCode::unavailable,
          fmt::format("the daemon at {} gave no whole answer, or no daemon is there", path)};
}

/// `error` 0: it has closed.
Failure why_no_answer(const std::string& path, int error, Patience patience) {
  if (error == 0) return no_whole_answer(path);
  if (error == EAGAIN)
    return {ExitCode::unavailable,
            fmt::format("the daemon at {} has not answered for {:g} s: it is stopped or busy{}{}",
                        path, std::chrono::duration<double>(patience.time).count(),
                        patience.advice.empty() ? "" : "; ", patience.advice)};
  return {error == EACCES ? ExitCode::permission : ExitCode::unavailable,
          fmt::format("no daemon answers at {}: {}", path, errno_text(error))};
}

/// Until the daemon closes; 0, or why not.
int read_all(Fd socket, std::string& text) {
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (count == 0) return 0;
    if (count > 0)
      text.append(buffer.data(), static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return errno;
  }
}

ControlServer::Reply answer(std::string_view line, const ControlServer::Handler& handler) try {
  if (const auto request = read_request(line)) return handler(*request);
  return line_of({{"ok", false}, {"error", "the request is not a JSON object"}});
} catch (const Failure& failure) {
  return line_of({{"ok", false}, {"error", failure.what()}});
}

/// Connected, and asked. Throws as ask_daemon() does.
Socket send_request(const std::string& path, const nlohmann::json& request, Patience patience) {
  auto socket = new_socket(0);
  set_patience(socket, patience.time);
  if (const int error = connect_to(socket, path); error != 0)
    throw why_no_answer(path, error, patience);
  const auto line = line_of(request);
  for (std::size_t sent = 0; sent < line.size();) {
    const auto count = ::send(socket.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) throw why_no_answer(path, errno, patience);
    sent += count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  return socket;
}

}  // namespace

ControlServer::ControlServer(std::string path)
    : name_{std::move(path)}, server_(listen_at(name_), most_clients, longest_request) {}

void ControlServer::Name::remove() noexcept {
  if (std::exchange(bound, false)) ::unlink(path.c_str());
}

UniqueFd ControlServer::listen_at(Name& name) {
  auto socket = new_socket(SOCK_NONBLOCK);
  bind_to(socket, name.path);
  name.bound = true;
  if (::listen(socket.get(), backlog) != 0) throw_errno("listen on control socket", name.path);
  return std::move(socket).take();
}

void ControlServer::serve(const Handler& handler, const HttpApi& api) {
  server_.serve([&](std::string_view received) -> std::optional<Reply> {
    if (is_http(received)) return answer_http(received, api);
    const auto end = received.find('\n');
    if (end == std::string_view::npos) {
      const bool may_be_long = received.starts_with('{');
      if (may_be_long || received.size() < RequestServer::longest_request) return std::nullopt;
      return Reply("");
    }
    return answer(received.substr(0, end), handler);
  });
}

uid_t ControlServer::asking_user() const {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(server_.asking().get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    throw_errno("ask who asks", "at the control socket");
  return credentials.uid;
}

std::string line_of(const nlohmann::json& document) {
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  return document.dump(-1, ' ', false, replace) + '\n';
}

bool is_abandoned(const std::string& path) {
  const int error = connect_to(new_socket(SOCK_NONBLOCK), path);
  return error == ENOENT || error == ECONNREFUSED;
}

nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request,
                          Patience patience) {
  const auto socket = send_request(path, request, patience);
  std::string reply;
  if (const int error = read_all(socket, reply); error != 0)
    throw why_no_answer(path, error, patience);
  auto answer = nlohmann::json::parse(reply, nullptr, false);
  if (!answer.is_object()) throw no_whole_answer(path);
  return answer;
}

DaemonStream::DaemonStream(const std::string& path, const nlohmann::json& request,
                           Patience patience)
    : path_(path), socket_(send_request(path, request, patience)) {
  auto line = read_line();
  if (!line) throw why_no_answer(path, errno, patience);
  first_ = object_in(*line);
  set_patience(socket_, {});
}

nlohmann::json DaemonStream::next() {
  const auto line = read_line();
  if (!line) throw Failure(ExitCode::unavailable, fmt::format("the daemon at {} has gone", path_));
  return object_in(*line);
}

std::string DaemonStream::bytes(std::chrono::milliseconds wait) {
  if (!received_.empty()) return std::exchange(received_, {});
  set_patience(socket_, wait);
  std::string buffer(std::size_t{1} << 18U, '\0');
  const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
    throw Failure(ExitCode::unavailable, fmt::format("the daemon at {} has gone", path_));
  buffer.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return buffer;
}

nlohmann::json DaemonStream::object_in(const std::string& line) const {
  auto document = nlohmann::json::parse(line, nullptr, false);
  if (!document.is_object()) throw no_whole_answer(path_);
  return document;
}

/// Nothing, and errno says why (0: the daemon has closed).
std::optional<std::string> DaemonStream::read_line() {
  std::array<char, 65536> buffer{};
  for (std::size_t end = received_.find('\n');; end = received_.find('\n')) {
    if (end != std::string::npos) {
      auto line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count == 0) errno = 0;
    if (count == 0 || (count < 0 && errno != EINTR)) return std::nullopt;
    if (count > 0) received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace mcr
