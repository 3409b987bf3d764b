// The key `consume` of a rule.
#pragma once

#include <cstdint>

namespace mcr {

/// The program in the kernel takes what it has relayed away from this host.
enum class Consume : std::uint8_t {
  automatic,  ///< unless somebody there can hear it
  yes,
  no,
};

}  // namespace mcr
