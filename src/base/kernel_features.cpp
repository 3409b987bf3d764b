#include "mcr/base/kernel_features.hpp"

#include <sys/utsname.h>

#include <cstdio>
#include <tuple>

namespace mcr {

bool kernel_is_at_least(int major, int minor) noexcept {
  utsname name{};
  int found_major = 0;
  int found_minor = 0;
  // NOLINTNEXTLINE(cert-err34-c): what is no number is no match
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &found_major, &found_minor) != 2)
    return false;
  return std::tie(found_major, found_minor) >= std::tie(major, minor);
}

}  // namespace mcr
