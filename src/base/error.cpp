#include "mcr/base/error.hpp"

#include <cerrno>
#include <cstring>
#include <map>
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

std::string_view errno_name(int code) noexcept {
  const char* const name = code > 0 ? ::strerrorname_np(code) : nullptr;
  return name != nullptr ? name : "";
}

int errno_named(std::string_view name) {
  static const auto codes = [] {
    constexpr int most = 4095;  // MAX_ERRNO of linux/err.h
    std::map<std::string_view, int> result;
    for (int code = 1; code <= most; ++code)
      if (const auto known = errno_name(code); !known.empty()) result.emplace(known, code);
    return result;
  }();
  const auto known = codes.find(name);
  return known == codes.end() ? 0 : known->second;
}

OsError::OsError(int code, std::string_view operation, std::string_view subject)
    : std::runtime_error(describe(code, operation, subject)), code_(code) {}

void throw_errno(std::string_view operation, std::string_view subject) {
  throw OsError(errno, operation, subject);
}

}  // namespace mcr
