#include "mcr/host/capabilities.hpp"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

constexpr unsigned most_capabilities = 64;  // capset(2) has 64 bits; libcap-ng denies unknown ones

void raise_limit(__rlimit_resource resource) noexcept {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(resource, &unlimited) == 0) return;
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(resource, &limit);
}

/// This thread's sets, into libcap-ng's own state of the thread.
void read_sets() {
  if (::capng_get_caps_process() != 0) throw_errno("read capabilities");
}

bool is_in(capng_type_t set, unsigned capability) {
  return ::capng_have_capability(set, capability) != 0;
}

/// False for those that only this process itself needs, and no program that it executes.
bool belongs_in_bounding_set(unsigned capability) {
  return capability != CAP_IPC_LOCK && capability != CAP_BPF && capability != CAP_PERFMON;
}

/// Takes what is not in `kept` out of the state that read_sets() left, and all that is inheritable.
/// Returns true if the process has a capability that it must lose.
bool reduce_sets(std::span<const unsigned> kept) {
  bool surplus = false;
  for (unsigned capability = 0; capability < most_capabilities; ++capability) {
    const bool keep = std::ranges::find(kept, capability) != kept.end();
    const bool permitted = is_in(CAPNG_PERMITTED, capability);
    surplus = surplus || (!keep && (permitted || is_in(CAPNG_INHERITABLE, capability)));
    const auto update = [capability](bool add, int sets) {
      ::capng_update(add ? CAPNG_ADD : CAPNG_DROP, static_cast<capng_type_t>(sets), capability);
    };
    update(keep && permitted, CAPNG_PERMITTED | CAPNG_EFFECTIVE);
    update(false, CAPNG_INHERITABLE | CAPNG_AMBIENT);
    // Now or never: CAP_SETPCAP goes with the rest.
    if (!keep || !belongs_in_bounding_set(capability)) update(false, CAPNG_BOUNDING_SET);
  }
  return surplus;
}

}  // namespace

void keep_only(std::span<const unsigned> capabilities) {
  read_sets();
  const bool may_shrink_bounding_set = is_in(CAPNG_EFFECTIVE, CAP_SETPCAP);
  const bool surplus = reduce_sets(capabilities);
  // Without CAP_SETPCAP the bounding set stays, and no_new_privs makes it worth nothing.
  if (may_shrink_bounding_set && ::capng_apply(CAPNG_SELECT_BOUNDS) != 0 && errno != EPERM)
    throw_errno("drop a capability from the bounding set");
  if (::capng_apply(CAPNG_SELECT_AMBIENT) != 0) throw_errno("clear the ambient capabilities");
  // Sandboxes that have left no surplus forbid the call, too.
  if (surplus && ::capng_apply(CAPNG_SELECT_CAPS) != 0) throw_errno("drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("set no_new_privs");
}

bool has_capability(unsigned capability) {
  read_sets();
  return is_in(CAPNG_EFFECTIVE, capability);
}

void raise_limits() noexcept {
  raise_limit(RLIMIT_NOFILE);
  raise_limit(RLIMIT_MEMLOCK);
}

}  // namespace mcr
