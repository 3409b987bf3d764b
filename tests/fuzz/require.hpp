#pragma once

#include <cstdlib>

namespace mcr::test {

/// Holds for every input, or aborts: libFuzzer reports the abort with the input that caused it.
inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace mcr::test
