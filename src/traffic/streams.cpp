#include "mcr/traffic/streams.hpp"

#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <limits>

#include "mcr/base/error.hpp"
#include "mcr/host/netlink.hpp"

namespace mcr {

namespace {

volatile std::sig_atomic_t end_requested = 0;

std::int64_t now_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Streams::add_options(CLI::App& command) {
  const auto read_group = [this](const std::string& text) {
    const auto address = IpAddress::parse(text);
    if (!address) throw CLI::ValidationError("--group", text + " is not an IPv4 or IPv6 address");
    group = *address;
  };
  command.add_option("--interface", interface, "Network interface of the streams")->required();
  command
      .add_option_function<std::string>("--group", read_group,
                                        "Address of the first stream, IPv4 or IPv6: a "
                                        "multicast group, or a unicast address")
      ->required();
  command.add_option("--port", port, "UDP port of all streams")
      ->required()
      ->check(CLI::Range(1, 65535));
  command.add_option("--streams", count, "Number of streams: consecutive groups from --group on")
      ->capture_default_str()
      ->check(CLI::Range(std::uint32_t{1}, max_count));
}

void Streams::check() const {
  if (last().is_multicast() != group.is_multicast() || last() < group)
    throw Failure(ExitCode::usage,
                  fmt::format("--streams {}: {} is not a {} address", count, last(),
                              group.is_multicast() ? "multicast" : "unicast"));
}

// Netlink knows long alternative names; if_nametoindex(3) and SO_BINDTODEVICE take 15 characters.
Interface Streams::find_interface() const {
  const auto interfaces = Netlink().snapshot();
  const auto* found = interfaces.find(interface);
  if (found == nullptr) throw OsError(ENODEV, "interface", interface);
  return *found;
}

std::string Streams::str() const {
  if (count == 1) return fmt::format("{}", Endpoint{group, port});
  return fmt::format("{}...{}", group, Endpoint{last(), port});
}

namespace interrupt {

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { end_requested = 1; };
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM})
    if (::sigaction(signal, &action, nullptr) != 0) throw_errno("catch signal");
}

bool requested() noexcept {
  return end_requested != 0;
}

}  // namespace interrupt

std::int64_t monotonic_ns() noexcept {
  return now_ns(CLOCK_MONOTONIC);
}

std::uint64_t realtime_ns() noexcept {
  return static_cast<std::uint64_t>(now_ns(CLOCK_REALTIME));
}

std::int64_t end_ns(std::int64_t start_ns, std::optional<double> seconds) noexcept {
  if (!seconds) return std::numeric_limits<std::int64_t>::max();
  return start_ns + static_cast<std::int64_t>(std::min(*seconds * 1e9, 4e18));
}

void pin_to_cpu(std::optional<unsigned> cpu) {
  if (!cpu) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  if (*cpu < CPU_SETSIZE) CPU_SET(*cpu, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0)
    throw_errno("run on CPU", std::to_string(*cpu));
}

}  // namespace mcr
