// A network namespace of this test program's own, for tests that need a real kernel:
//
//   near (10.9.0.1/24) ---- far (10.9.0.2/24)      a veth pair, both ends here
//
// Entered by the first test that asks for it, and left by none. Such a test begins with
// MCR_NEEDS_PRIVATE_NETWORK(), which ends it with the reason where that is not permitted.
#pragma once

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "catch.hpp"
#include "mcr/host/netlink.hpp"

namespace private_network {

inline bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

inline bool write_file(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return !file.fail();
}

inline std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string become_root_of_a_user_namespace() {
  const auto user = ::getuid();
  const auto group = ::getgid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    return fmt::format("unshare: {}", std::strerror(errno));
  write_file("/proc/self/setgroups", "deny");
  if (!write_file("/proc/self/uid_map", fmt::format("0 {} 1", user)) ||
      !write_file("/proc/self/gid_map", fmt::format("0 {} 1", group)))
    return "cannot map root into a user namespace";
  return "";
}

inline std::string enter() {
  if (::unshare(CLONE_NEWNET) != 0)
    if (auto reason = become_root_of_a_user_namespace(); !reason.empty()) return reason;
  if (!run("ip link set lo up && ip link add near type veth peer name far"
           " && ip addr add 10.9.0.1/24 dev near && ip addr add 10.9.0.2/24 dev far"
           " && ip link set near up && ip link set far up"))
    return "cannot make a veth pair";
  try {
    for (int i = 0; i < 500; ++i) {
      const auto links = mcr::Netlink().snapshot();
      if (links.find("near")->up && links.find("far")->up) return "";
      ::usleep(10'000);
    }
  } catch (const mcr::OsError& error) {  // of an emulator
    return error.what();
  }
  return "the veth pair does not come up";
}

/// "" in the namespace; else why not.
inline const std::string& reason_for_none() {
  static const std::string reason = enter();
  return reason;
}

}  // namespace private_network

#define MCR_NEEDS_PRIVATE_NETWORK()                                               \
  if (const auto& reason = private_network::reason_for_none(); !reason.empty()) { \
    WARN("cannot be tested here: " << reason);                                    \
    return;                                                                       \
  }
