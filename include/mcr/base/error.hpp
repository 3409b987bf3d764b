// Errors of set-up and control. The packet path throws nothing: it counts.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace mcr {

/// Exit codes of the program, from sysexits(3).
enum class ExitCode : int {
  ok = 0,
  usage = 64,        ///< the command line is wrong
  data = 65,         ///< judged data is bad (`mcr sink --strict`)
  unavailable = 69,  ///< no daemon there, another one there, or io_uring forbidden
  os = 71,           ///< the operating system refused
  permission = 77,   ///< a capability is missing, or the system does not permit it
  config = 78,       ///< the configuration is missing, unreadable, malformed or refused
};

/// A system call that failed: errno value, operation and subject.
/// what(): "join 239.1.1.1 on eth0: No buffer space available".
class OsError : public std::runtime_error {
 public:
  OsError(int code, std::string_view operation, std::string_view subject = {});

  /// The errno value, positive.
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

/// Throws OsError with the current errno.
[[noreturn]] void throw_errno(std::string_view operation, std::string_view subject = {});

/// The text of an errno value; thread-safe.
[[nodiscard]] std::string errno_text(int code);

/// "ENOBUFS"; "" for 0 and for what this C library has no name for.
[[nodiscard]] std::string_view errno_name(int code) noexcept;
/// The errno value of a name; 0 for what is none.
[[nodiscard]] int errno_named(std::string_view name);

/// Ends the program with a message and the given exit code; caught in main().
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}

  [[nodiscard]] ExitCode exit_code() const noexcept { return exit_code_; }

 private:
  ExitCode exit_code_;
};

}  // namespace mcr
