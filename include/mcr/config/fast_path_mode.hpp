// The key `fast_path` of [daemon]: use of the program in the kernel (src/fastpath).
#pragma once

#include <cstdint>

namespace mcr {

enum class FastPathMode : std::uint8_t {
  off,
  automatic,  ///< where it is to be had
  require,    ///< the relay does not start without it
};

}  // namespace mcr
