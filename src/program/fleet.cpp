// Each relay is asked by a thread of its own, since the resolver blocks (getaddrinfo(3)) and takes
// no time limit. A relay that has not answered in time is given up together with its thread, which
// owns the place that a late answer goes to.
//
// The user may name a relay by a name of the public DNS, to which a relay does not answer
// (is_trusted_host() guards browsers by this). So the request names the address instead.
#include "mcr/program/fleet.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <thread>

#include "mcr/base/fd.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/program/http.hpp"
#include "mcr/program/terminal.hpp"
#include "mcr/status/fleet.hpp"

namespace mcr {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_answer = std::size_t{64} << 20U;  // bytes

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// Why there is no answer.
struct NoAnswer {
  std::string why;
};

[[noreturn]] void give_up(int error) {
  throw NoAnswer{errno_text(error)};
}

Addresses resolve(const HostPort& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(host.host.c_str(), std::to_string(host.port).c_str(), &wanted, &found);
  if (error == EAI_SYSTEM) give_up(errno);
  if (error != 0) throw NoAnswer{::gai_strerror(error)};
  return Addresses(found);
}

/// Until the socket is ready. Throws NoAnswer when the time is over.
void wait(Fd socket, short events, Clock::time_point end) {
  pollfd ready{socket.get(), events, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    const int count = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (count > 0) return;
    if (count == 0) throw NoAnswer{"it says nothing"};
    if (errno != EINTR) give_up(errno);
  }
}

UniqueFd connect(const addrinfo& address, Clock::time_point end) {
  UniqueFd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) give_up(errno);
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) give_up(errno);
  wait(socket, POLLOUT, end);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) give_up(error);
  return socket;
}

/// "10.0.0.1:9464", "[::1]:9464"
std::string authority_of(const addrinfo& address, std::uint16_t port) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(address.ai_addr, address.ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return "localhost";
  const std::string_view name = text.data();
  const auto host = name.substr(0, name.find('%'));
  const bool brackets = address.ai_family == AF_INET6;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

/// All that the server says until it closes.
std::string exchange(Fd socket, std::string_view request, Clock::time_point end) {
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    give_up(errno);
  std::string received;
  std::array<char, 65536> buffer{};
  for (;;) {
    wait(socket, POLLIN, end);
    const auto count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (count == 0) return received;
    if (count < 0 && errno != EAGAIN && errno != EINTR) give_up(errno);
    if (count > 0) received.append(buffer.data(), static_cast<std::size_t>(count));
    if (received.size() > longest_answer) throw NoAnswer{"its answer has no end"};
  }
}

nlohmann::json overview_of(const addrinfo& address, const HostPort& host, Clock::time_point end) {
  const auto request = fmt::format("GET /v1/overview HTTP/1.0\r\nHost: {}\r\n\r\n",
                                   authority_of(address, host.port));
  const auto received = exchange(connect(address, end), request, end);
  const auto answer = http::parse_answer(received);
  if (!answer) throw NoAnswer{"its answer is no whole one of HTTP"};
  if (answer->status != 200)
    throw NoAnswer{fmt::format("HTTP {}: {}", answer->status,
                               answer->content.substr(0, answer->content.find('\n')))};
  return nlohmann::json::parse(answer->content, nullptr, false);
}

/// Tries its addresses in turn.
status::FleetRelay ask(const std::string& name, const HostPort& host, Clock::time_point end) {
  std::string why;
  try {
    const auto addresses = resolve(host);
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
      try {
        return status::read_overview(name, overview_of(*address, host, end));
      } catch (const NoAnswer& none) {
        if (why.empty()) why = none.why;
      }
    }
  } catch (const NoAnswer& none) {
    why = none.why;
  } catch (const std::exception& error) {
    why = error.what();
  }
  return {.host = name, .error = why};
}

/// The answers that the threads have got; outlives all of them.
struct Found {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::optional<status::FleetRelay>> relays;
  std::size_t answered = 0;
};

void start_asking(const std::shared_ptr<Found>& found, std::size_t i, const std::string& name,
                  Clock::time_point end) {
  std::thread([found, i, name, host = HostPort::parse(name), end] {
    auto relay = ask(name, host, end);
    const std::lock_guard held(found->mutex);
    found->relays[i] = std::move(relay);
    ++found->answered;
    found->changed.notify_one();
  }).detach();
}

std::vector<status::FleetRelay> ask_all(const std::vector<std::string>& names,
                                        std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds grace{100};  // for those who give up in time themselves
  const auto end = Clock::now() + patience;
  const auto found = std::make_shared<Found>();
  found->relays.resize(names.size());
  for (const auto& name : names)
    static_cast<void>(HostPort::parse(name));  // before the first thread
  for (std::size_t i = 0; i < names.size(); ++i)
    start_asking(found, i, names[i], end);
  std::unique_lock held(found->mutex);
  found->changed.wait_until(held, end + grace, [&] { return found->answered == names.size(); });
  std::vector<status::FleetRelay> relays;
  for (std::size_t i = 0; i < names.size(); ++i)
    relays.push_back(found->relays[i].value_or(
        status::FleetRelay{.host = names[i], .error = "its name is not resolved in time"}));
  return relays;
}

Failure no_host(std::string_view text) {
  return {ExitCode::usage, fmt::format("\"{}\" is no HOST or HOST:PORT", printable(text))};
}

}  // namespace

HostPort HostPort::parse(std::string_view text) {
  if (text.starts_with('-')) throw no_host(text);  // an option, where a host is missing
  const bool brackets = text.starts_with('[');
  if (!brackets && std::ranges::count(text, ':') > 1) return {.host = std::string(text)};
  HostPort result{.host = std::string(http::host_of(text))};
  const auto end = result.host.size() + (brackets ? 2 : 0);
  if (result.host.empty() || end > text.size()) throw no_host(text);
  const auto rest = text.substr(end);
  if (rest.empty()) return result;
  const auto* const last = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data() + 1, last, result.port);
  if (rest.front() != ':' || error != std::errc() || stop != last || result.port == 0)
    throw no_host(text);
  return result;
}

ExitCode print_fleet(const std::vector<std::string>& hosts, std::chrono::milliseconds patience,
                     bool as_json) {
  const auto relays = ask_all(hosts, patience);
  write_output(as_json ? status::to_json(relays).dump(2, ' ', false,
                                                      nlohmann::json::error_handler_t::replace) +
                             '\n'
                       : status::render_fleet(relays, terminal_columns()));
  const bool healthy = std::ranges::all_of(relays, &status::FleetRelay::healthy);
  return healthy ? ExitCode::ok : ExitCode::unavailable;
}

}  // namespace mcr
