// The stage of one kernel fact: network namespaces of our own, links between them, and a verdict.
// Every program here is one fact: exit 0 it holds, 77 it cannot be tested here, 1 it is wrong here.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

namespace world {

/// The fact cannot be tested here.
[[noreturn]] inline void skip(const std::string& reason) {
  fmt::print("cannot be tested here: {}\n", reason);
  std::exit(77);
}

/// The fact is wrong here.
[[noreturn]] inline void wrong(const std::string& finding) {
  fmt::print("WRONG HERE: {}\n", finding);
  std::exit(1);
}

inline void expect(bool holds, const std::string& finding) {
  fmt::print("{}: {}\n", holds ? "found" : "NOT found", finding);
  if (!holds) wrong(finding);
}

/// The result of a system call that only sets the stage.
inline int need(int result, const char* what) {
  if (result < 0) skip(fmt::format("{}: {}", what, std::strerror(errno)));
  return result;
}

inline bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return !file.fail();
}

inline void run(const std::string& command) {
  if (std::system((command + " >&2").c_str()) != 0) skip("failed: " + command);
}

/// Becomes root of a new user namespace with an empty network namespace.
inline void enter() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto user = ::getuid(), group = ::getgid();
  need(::unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare");
  write_file("/proc/self/setgroups", "deny");
  if (!write_file("/proc/self/uid_map", fmt::format("0 {} 1", user)) ||
      !write_file("/proc/self/gid_map", fmt::format("0 {} 1", group)))
    skip("cannot map root into a user namespace");
  run("ip link set lo up");
}

/// The network namespace we are in, as a descriptor for go().
inline int here() {
  return need(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open /proc/self/ns/net");
}

inline void go(int network) {
  need(::setns(network, CLONE_NEWNET), "setns");
}

/// The kernel opens a link's queue a moment after its carrier is there; till then it drops.
inline void wait_up(const char* interface) {
  run(
      fmt::format("for try in $(seq 500); do ip link show {} | grep -q 'state UP' && exit 0;"
                  " sleep 0.01; done; exit 1",
                  interface));
}

/// Another network namespace, connected: `near` (10.0.0.1/24) here, `far` (10.0.0.2/24) there.
inline int peer() {
  const int home = here();
  need(::unshare(CLONE_NEWNET), "unshare");
  run("ip link set lo up");
  const int away = here();
  go(home);
  run(fmt::format("ip link add near type veth peer name far netns /proc/{}/fd/{}", ::getpid(),
                  away));
  run("ip addr add 10.0.0.1/24 dev near && ip link set near up");
  go(away);
  run("ip addr add 10.0.0.2/24 dev far && ip link set far up");
  wait_up("far");
  go(home);
  wait_up("near");
  ::close(home);
  return away;
}

inline sockaddr_in endpoint(const char* address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

template <typename Value>
int set(int socket, int level, int option, const Value& value) {
  return ::setsockopt(socket, level, option, &value, sizeof value);
}

/// A UDP socket that sends to `address`, with `near` as the interface of its multicasts.
inline int sender(const char* address, std::uint16_t port) {
  const int fd = need(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  ip_mreqn out{};
  out.imr_ifindex = static_cast<int>(::if_nametoindex("near"));
  set(fd, IPPROTO_IP, IP_MULTICAST_IF, out);
  const auto to = endpoint(address, port);
  need(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  return fd;
}

/// A UDP socket on `port` that waits at most a second for a datagram.
inline int listener(std::uint16_t port) {
  const int fd = need(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  const auto at = endpoint("0.0.0.0", port);
  need(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
  set(fd, SOL_SOCKET, SO_RCVTIMEO, timeval{1, 0});
  return fd;
}

/// An any-source join; the errno value, or 0.
inline int join(int socket, const char* group, const char* interface) {
  group_req request{};
  request.gr_interface = ::if_nametoindex(interface);
  const auto address = endpoint(group, 0);
  std::memcpy(&request.gr_group, &address, sizeof address);
  return set(socket, IPPROTO_IP, MCAST_JOIN_GROUP, request) == 0 ? 0 : errno;
}

inline std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

}  // namespace world
