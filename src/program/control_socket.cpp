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
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

constexpr mode_t socket_mode = 0660;
constexpr int backlog = 64;
constexpr std::size_t most_clients = 64;

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

Failure why_no_answer(const std::string& path, int error, std::chrono::microseconds patience) {
  if (error == EAGAIN)
    return {ExitCode::unavailable,
            fmt::format("the daemon at {} has not answered for {:g} s: it is stopped or busy; "
                        "--timeout waits longer",
                        path, std::chrono::duration<double>(patience).count())};
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

nlohmann::json answer(std::string_view line, const ControlServer::Handler& handler) {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (!request.is_object()) return {{"ok", false}, {"error", "the request is not a JSON object"}};
  return handler(request);
}

}  // namespace

ControlServer::ControlServer(std::string path)
    : name_{std::move(path)}, server_(listen_at(name_), most_clients) {}

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
  server_.serve([&](std::string_view received) -> std::optional<std::string> {
    if (is_http(received)) return answer_http(received, api);
    const auto end = received.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    constexpr auto replace = nlohmann::json::error_handler_t::replace;
    return answer(received.substr(0, end), handler).dump(-1, ' ', false, replace) + '\n';
  });
}

nlohmann::json ask_daemon(const std::string& path, const nlohmann::json& request,
                          std::chrono::microseconds patience) {
  const auto socket = new_socket(0);
  set_patience(socket, patience);
  const auto failure = [&](int error) { return why_no_answer(path, error, patience); };
  if (const int error = connect_to(socket, path); error != 0) throw failure(error);
  const auto line = request.dump() + '\n';
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size()))
    throw failure(errno);
  std::string reply;
  if (const int error = read_all(socket, reply); error != 0) throw failure(error);
  auto answer = nlohmann::json::parse(reply, nullptr, false);
  if (!answer.is_object())
    throw Failure(
        ExitCode::unavailable,
        fmt::format("the daemon at {} gave no whole answer, or no daemon is there", path));
  return answer;
}

}  // namespace mcr
