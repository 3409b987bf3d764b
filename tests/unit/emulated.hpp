// Tests of another architecture run under an emulator (qemu-user), which stands in for the kernel
// in part.
#pragma once

#include <cstdlib>

#include "catch.hpp"

/// meson runs the tests of a cross build by a program that it names so.
#define MCR_NOT_EMULATED(what)                                          \
  if (std::getenv("MESON_EXE_WRAPPER") != nullptr) {                    \
    WARN("cannot be tested here: the emulator does not know " << what); \
    return;                                                             \
  }
