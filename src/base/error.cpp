#include "mcr/base/error.hpp"

#include <cerrno>
#include <system_error>

namespace mcr {

namespace {

std::string describe(int code, std::string_view operation, std::string_view subject) {
  std::string text(operation);
  if (!subject.empty()) text.append(" ").append(subject);
  return text.append(": ").append(errno_text(code));
}

}  // namespace

std::string errno_text(int code) {
  return std::generic_category().message(code);
}

OsError::OsError(int code, std::string_view operation, std::string_view subject)
    : std::runtime_error(describe(code, operation, subject)), code_(code) {}

void throw_errno(std::string_view operation, std::string_view subject) {
  throw OsError(errno, operation, subject);
}

}  // namespace mcr
