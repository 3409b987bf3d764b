// How the program ends where the system has refused something.
#pragma once

#include <cerrno>

#include "mcr/base/error.hpp"

namespace mcr {

[[nodiscard]] inline ExitCode exit_code_of(const OsError& error) noexcept {
  return error.code() == EACCES || error.code() == EPERM ? ExitCode::permission : ExitCode::os;
}

}  // namespace mcr
