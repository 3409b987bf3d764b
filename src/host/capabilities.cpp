#include "mcr/host/capabilities.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

void raise_limit(__rlimit_resource resource) noexcept {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(resource, &unlimited) == 0) return;
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(resource, &limit);
}

/// What programs that are executed could have. Without CAP_SETPCAP it stays, and no_new_privs
/// makes it worth nothing.
void shrink_bounding_set(std::uint64_t kept) {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    if ((kept >> capability & 1U) == 0 && ::prctl(PR_CAPBSET_DROP, capability) != 0) {
      if (errno == EPERM) return;
      throw_errno("drop a capability from the bounding set");
    }
}

}  // namespace

void keep_only(std::span<const unsigned> capabilities) {
  std::uint64_t kept = 0;
  for (const auto capability : capabilities)
    kept |= std::uint64_t{1} << capability;
  shrink_bounding_set(kept);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) throw_errno("read capabilities");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  bool surplus = false;
  for (auto& word : data) {
    const auto mask = static_cast<std::uint32_t>(kept);
    surplus = surplus || ((word.permitted | word.inheritable) & ~mask) != 0;
    word.permitted &= mask;
    word.effective = word.permitted;
    word.inheritable = 0;
    kept >>= 32U;
  }
  // Sandboxes that have left no surplus forbid the call, too.
  if (surplus && ::syscall(SYS_capset, &header, data.data()) != 0) throw_errno("drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("set no_new_privs");
}

void raise_limits() noexcept {
  raise_limit(RLIMIT_NOFILE);
  raise_limit(RLIMIT_MEMLOCK);
}

}  // namespace mcr
