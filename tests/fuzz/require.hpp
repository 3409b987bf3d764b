#pragma once

#include <cstdlib>

namespace mcr::test {

/// What must hold for every input; libFuzzer reports the abort with the input that caused it.
inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace mcr::test
